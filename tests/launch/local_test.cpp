// Clusters of processes of this machine.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>

#include "cluster_command.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::shared;

class Local : public ClusterCommand {};

TEST_F(Local, UpRunsCallsAndDownLeavesNothing) {
  const std::string address = address_of(up({"-n", "3"}));
  EXPECT_TRUE(status_says("launcher local, 3 workers wanted, 3 running"));
  EXPECT_TRUE(status_says("coordinator " + address + "; pid "));
  for (int i = 1; i <= 3; ++i)
    EXPECT_TRUE(fs::exists(of_cluster() / ("logs/worker-" + std::to_string(i) + ".log"))) << i;
  {
    ClusterExecutor executor(address);
    expect_all(submit_all(executor));
  }
  EXPECT_EQ(shared().runs, static_cast<std::uint64_t>(call_count));
  expect_down();
  EXPECT_TRUE(processes_marked("MUSTER_TEST_MARK=" + path("").parent_path().string()).empty());
  EXPECT_TRUE(fs::is_empty(path("state/muster/clusters")));
  const Finished again = cluster({"down"});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_NE(again.err.find("there is no cluster 'default'"), std::string::npos) << again.text();
}

TEST_F(Local, TheKeeperReplacesWhatDies) {
  const std::string address = address_of(up({"-n", "2", "--poll", "50ms"}));
  ClusterExecutor executor(address);
  const auto futures = submit_all(executor);
  ASSERT_TRUE(have_run(20));
  const auto workers = processes("muster-worker");
  ASSERT_EQ(workers.size(), 2U);
  ::kill(workers.front(), SIGKILL);
  EXPECT_TRUE(eventually([&] { return fs::exists(of_cluster() / "logs/worker-3.log"); }));
  const auto coordinators = processes("muster-coordinator");
  ASSERT_EQ(coordinators.size(), 1U);
  ::kill(coordinators.front(), SIGKILL);
  expect_all(futures);
  EXPECT_NE(keeper_log().find("the coordinator had ended, and was started again"),
            std::string::npos);
  EXPECT_TRUE(status_says("2 running"));
  executor.shutdown();
  expect_down();
}

TEST_F(Local, WorkersThatDrainLoseNoCall) {
  const std::string address = address_of(up({"-n", "2", "--lifetime", "500ms", "--poll", "50ms"}));
  ClusterExecutor executor(address);
  expect_all(submit_all(executor));
  // Exactly once: nothing was interrupted and run again.
  EXPECT_EQ(shared().runs, static_cast<std::uint64_t>(call_count));
  EXPECT_TRUE(eventually([&] { return fs::exists(of_cluster() / "logs/worker-3.log"); }));
  executor.shutdown();
  expect_down();
}

TEST_F(Local, AKeeperThatWasKilledIsMissedAndCanBeReplaced) {
  address_of(up({"-n", "1", "--poll", "50ms"}));
  const Finished second = cluster({"keep"});
  EXPECT_EQ(second.exit_code, 2) << second.text();
  EXPECT_NE(second.err.find("has a keeper"), std::string::npos);
  for (const pid_t each : processes("muster")) ::kill(each, SIGKILL);
  EXPECT_TRUE(status_says("'muster cluster keep default' does"));
  Running keeper(command("muster", {"cluster", "keep"}));
  EXPECT_NE(await_line(keeper, "keeps 1 workers"), "");
  ::kill(processes("muster-worker").front(), SIGKILL);
  EXPECT_NE(await_line(keeper, "0 of 1 workers are there: starts 1"), "");
  keeper.send(SIGTERM);
  EXPECT_EQ(keeper.wait().exit_code, 0);
  expect_down();
}

TEST_F(Local, AsManyAsThereIsToDo) {
  const std::string address = address_of(up({"--adapt", "1:3", "--poll", "50ms"}));
  EXPECT_TRUE(status_says("launcher local, 1 to 3 workers wanted, 1 running"));
  ClusterExecutor executor(address);
  const auto futures = submit_all(executor);
  EXPECT_TRUE(eventually([&] { return processes("muster-worker").size() == 3; })) << keeper_log();
  expect_all(futures);
  executor.shutdown();
  expect_down();
  expect_refused(up({"--adapt", "3:1"}), 2, "MIN is more than MAX");
  expect_refused(up({"--adapt", "3"}), 2, "is not of the form MIN:MAX");
  expect_refused(up({"--adapt", "1:3", "-n", "2"}), 2, "exclude each other");
}

TEST_F(Local, ANameIsUpOnce) {
  address_of(up({}));
  const Finished again = up({});
  EXPECT_EQ(again.exit_code, 2) << again.text();
  EXPECT_NE(again.err.find("'muster cluster down default'"), std::string::npos) << again.text();
  address_of(up({"--name", "other"}));
  EXPECT_TRUE(status_says("cluster 'other'"));
  EXPECT_TRUE(status_says("cluster 'default'"));
  expect_down("other");
  EXPECT_EQ(processes("muster-worker").size(), 1U) << "the other one's";
  expect_down();
}

TEST_F(Local, AStartThatFailsLeavesNothing) {
  expect_refused(up({"--worker-program", "/no/such/worker"}), 2, "/no/such/worker");
  expect_refused(up({"-n", "3", "--worker-program", "/bin/false"}), 1,
                 "a worker has ended as soon as it was started");
  expect_refused(up({"--bind", "nonsense"}), 1, "nonsense");
  expect_refused(up({"--bind", "tcp://0.0.0.0:*"}), 2, "muster keys init");
  expect_refused(up({"--keys", "nowhere"}), 1, "nowhere");
  EXPECT_TRUE(fs::is_empty(path("state/muster/clusters")));
}

TEST_F(Local, AStartThatIsInterruptedLeavesNothing) {
  Running up(command("muster", {"cluster", "up", "-n", "3"}));
  ASSERT_TRUE(eventually([&] { return fs::exists(of_cluster() / "logs/worker-3.log"); }));
  up.send(SIGINT);
  const Finished end = up.wait();
  EXPECT_EQ(end.exit_code, 130) << end.text();
  EXPECT_TRUE(fs::is_empty(path("state/muster/clusters")));
  EXPECT_TRUE(processes("muster-worker").empty());
}

TEST_F(Local, WhatAKilledStartHasLeftIsFound) {
  {
    Running up(command("muster", {"cluster", "up", "-n", "3"}));
    ASSERT_TRUE(eventually([&] { return fs::exists(of_cluster() / "logs/worker-3.log"); }));
    up.send(SIGKILL);
  }
  EXPECT_GE(processes("muster-worker").size(), 2U);
  expect_down();
  EXPECT_TRUE(processes("muster-worker").empty());
  EXPECT_TRUE(processes("muster-coordinator").empty());
}

TEST_F(Local, JoinsACoordinatorThatIsThere) {
  start_coordinator();
  EXPECT_EQ(address_of(up({"-n", "2", "--coordinator", address()})), address());
  ClusterExecutor executor(address());
  expect_all(submit_all(executor));
  executor.shutdown();
  expect_down();
  EXPECT_FALSE(coordinator().ended()) << "it is somebody else's";
}

TEST_F(Local, WithKeysNobodyElseComesIn) {
  for (const Options& each : {Options{"keys", "init"}, Options{"keys", "init", "worker"},
                              Options{"keys", "init", "client"},
                              Options{"keys", "authorize", "keys/worker.pub", "--role", "worker"},
                              Options{"keys", "authorize", "keys/client.pub", "--role", "client"}})
    ASSERT_EQ(muster(each).exit_code, 0);
  const std::string address = address_of(up({"--keys", "keys", "-n", "2"}));
  {
    ClusterExecutor executor(address, {.keys = path("keys/client.key")});
    expect_all(submit_all(executor));
  }
  EXPECT_THROW(ClusterExecutor(address, {.connect_within = 300ms}), Error);
  expect_down();
}

TEST_F(Local, BadUsageIsNamed) {
  const auto expect_usage = [&](Options arguments, const std::string& text) {
    const Finished end = cluster(std::move(arguments));
    EXPECT_EQ(end.exit_code, 2) << end.text();
    EXPECT_NE(end.err.find(text), std::string::npos) << end.text();
  };
  expect_usage({"upp"}, "did you mean 'muster cluster up'?");
  expect_usage({"up", "--launcher", "pbs"}, "local, slurm or ssh");
  expect_usage({"up", "-n", "0"}, "-n");
  expect_usage({"up", "-n", "1000000"}, "at most 10000");
  expect_usage({"up", "--name", "a/b"}, "a/b");
  expect_usage({"up", "x"}, "does not take 'x'");
  expect_usage({"up", "--", "-p", "x"}, "--launcher slurm");
  expect_usage({"up", "--hosts", "a"}, "--launcher ssh");
  expect_usage({"up", "--launcher", "ssh"}, "--hosts");
  expect_usage({"up", "--launcher", "ssh", "--hosts", "a"}, "--coordinator");
  expect_usage({"up", "--launcher", "ssh", "--hosts", "a", "--bind", "tcp://0.0.0.0:1"},
               "cannot connect");
  expect_usage({"up", "--coordinator", "tcp://a:1", "--bind", "tcp://b:1"}, "exclude");
  expect_usage({"up", "--lifetime", "soon"}, "--lifetime");
  expect_usage({"up", "--env", "x"}, "NAME=VALUE");
  expect_usage({"down", "a", "b"}, "one name");
  expect_usage({"status", "nowhere"}, "there is no cluster 'nowhere'");
  expect_usage({"print-script"}, "--launcher slurm");
  EXPECT_NE(cluster({"--help"}).out.find("--launcher"), std::string::npos);
}

}  // namespace
}  // namespace muster::testing
