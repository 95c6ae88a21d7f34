#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/launch/slurm_script.hpp>

namespace muster::launch {
namespace {

using namespace std::chrono_literals;

ClusterSpec slurm_spec() {
  ClusterSpec out;
  out.name = "mine";
  out.token = "0123456789abcdef";
  out.launcher = LauncherKind::slurm;
  out.worker.program = "/opt/my tools/muster-worker";
  out.worker.coordinator = "tcp://head:7600";
  return out;
}

bool has(const std::vector<std::string>& options, const std::string& option) {
  return std::find(options.begin(), options.end(), option) != options.end();
}

TEST(SlurmScript, IsWhole) {
  ClusterSpec spec = slurm_spec();
  spec.sbatch_flags = {"--partition=long", "--comment", "a \"b\" \\c"};
  const std::string script = slurm_script(spec, 8, "/home/me/logs");
  EXPECT_EQ(script.substr(0, script.find("# Workers")), R"(#!/bin/sh
#SBATCH --job-name=muster-mine-0123456789abcdef
#SBATCH --array=0-7
#SBATCH --output=/home/me/logs/%A_%a.log
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@60
#SBATCH --requeue
#SBATCH --ntasks=1
#SBATCH --partition=long
#SBATCH --comment "a \"b\" \\c"
)");
  EXPECT_EQ(script.substr(script.find("exec ")),
            "exec '/opt/my tools/muster-worker' --coordinator tcp://head:7600 --name "
            "mine-\"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\" --slots "
            "\"${SLURM_CPUS_ON_NODE:-1}\"\n");
}

TEST(SlurmScript, WalltimeIsLifetimeAndDrainTime) {
  ClusterSpec spec = slurm_spec();
  spec.worker.lifetime = 4h;
  spec.drain_time = 90s;
  spec.worker.slots = 16;
  EXPECT_TRUE(has(sbatch_options(spec, 1, "/l"), "--time=242"));
  EXPECT_TRUE(has(sbatch_options(spec, 1, "/l"), "--signal=B:USR1@90"));
  EXPECT_TRUE(has(sbatch_options(spec, 1, "/l"), "--cpus-per-task=16"));
  EXPECT_NE(slurm_script(spec, 1, "/l").find("--slots 16 --lifetime 14400000ms"),
            std::string::npos);
}

TEST(SlurmScript, FlagsOfTheUserWin) {
  ClusterSpec spec = slurm_spec();
  spec.worker.lifetime = 4h;
  spec.worker.slots = 16;
  for (const char* time : {"--time=10", "-t10", "-t", "--time"}) {
    spec.sbatch_flags = {time, "-c", "32"};
    const auto options = sbatch_options(spec, 1, "/l");
    EXPECT_FALSE(has(options, "--time=241")) << time;
    EXPECT_FALSE(has(options, "--cpus-per-task=16"));
    EXPECT_EQ(options.back(), "32");
  }
}

TEST(SlurmScript, WhatWouldTakeTheJobsAwayIsRefused) {
  ClusterSpec spec = slurm_spec();
  for (const char* each :
       {"--array=1-3", "-a1", "--job-name=x", "-Jx", "--output=x", "-o", "--wrap=x",
        "--signal=USR1@5", "--parsable", "-W", "--wait", "--error=x"}) {
    spec.sbatch_flags = {"--partition=p", each};
    try {
      sbatch_options(spec, 1, "/l");
      ADD_FAILURE() << each;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_NE(std::string(error.what()).find(each), std::string::npos);
      EXPECT_NE(error.hint(), "");
    }
  }
  for (const char* each : {"--wait-all-nodes=1", "--account=a", "-p"}) {
    spec.sbatch_flags = {each};
    EXPECT_TRUE(has(sbatch_options(spec, 1, "/l"), each));
  }
}

TEST(SlurmScript, DirectoriesArePatternsThatMeanThemselves) {
  EXPECT_TRUE(has(sbatch_options(slurm_spec(), 1, "/a 100%/l"), "--output=/a 100%%/l/%A_%a.log"));
  EXPECT_THROW(sbatch_options(slurm_spec(), 1, "/a\\b"), Error);
}

TEST(SlurmScript, JobIds) {
  EXPECT_EQ(parse_job_id("4711\n"), "4711");
  EXPECT_EQ(parse_job_id("4711;east\n"), "4711");
  EXPECT_THROW(parse_job_id(""), Error);
  EXPECT_THROW(parse_job_id("Submitted batch job 4711\n"), Error);
}

TEST(SlurmScript, QueueListings) {
  const auto pilots = parse_squeue(
      "12_0|RUNNING|None|n1\n12_1|PENDING|Resources|\n12_2|COMPLETING|None|n2\n"
      "12_3|CONFIGURING|None|n3\n13_0|SUSPENDED|None|n1\n13_1|PREEMPTED|None|n1\n",
      "/l");
  ASSERT_EQ(pilots.size(), 6U);
  using State = Pilot::State;
  const State states[] = {State::running, State::pending, State::ending,
                          State::pending, State::running, State::ending};
  for (std::size_t i = 0; i < pilots.size(); ++i) EXPECT_EQ(pilots[i].state, states[i]) << i;
  EXPECT_EQ(pilots[0].id, "12_0");
  EXPECT_EQ(pilots[0].place, "job 12_0 on n1");
  EXPECT_EQ(pilots[0].log, "/l/12_0.log");
  EXPECT_EQ(pilots[1].place, "job 12_1, Resources");
  EXPECT_TRUE(parse_squeue("", "/l").empty());
  EXPECT_THROW(parse_squeue("12_0 RUNNING\n", "/l"), Error);
}

}  // namespace
}  // namespace muster::launch
