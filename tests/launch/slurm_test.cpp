// Clusters of Slurm's array jobs. Each test has a Slurm of its own.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include "slurm_cluster.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::shared;

constexpr std::size_t numbers_max = 4096;  // as many are counted

int count_slowly(int number) {
  ++shared().runs;
  ++shared().runs_by_number[number];
  ::usleep(10'000);  // slow on purpose: so that there is something to interrupt
  return number;
}

TEST_F(Slurm, UpRunsCallsAndDownLeavesNothing) {
  ASSERT_EQ(address_of(up_with({"-n", "3", "--", "--partition=main", "--comment", "a \"b\" c"})),
            address());
  EXPECT_TRUE(status_says("launcher slurm, 3 workers wanted, 3 running"));
  {
    ClusterExecutor executor(address());
    expect_all(submit_all(executor));
  }
  EXPECT_EQ(shared().runs, static_cast<std::uint64_t>(call_count));
  const std::string job = slurm->queue("%F").front();
  EXPECT_EQ(slurm->queue("%k").front(), "a \"b\" c");
  for (const char* each : {"_0", "_1", "_2"})
    EXPECT_TRUE(fs::exists(of_cluster() / ("logs/" + job + each + ".log"))) << each;
  EXPECT_NE(await_line(coordinator(), "worker 'default-" + job + "_2'"), "");
  expect_down();
  expect_empty_queue();
}

TEST_F(Slurm, AWorkerThatIsCancelledIsReplaced) {
  address_of(up_with({"-n", "2"}));
  ClusterExecutor executor(address());
  const auto futures = submit_all(executor);
  ASSERT_TRUE(have_run(20));
  const std::string first = slurm->queue().front();
  EXPECT_EQ(slurm->call({"scancel", first}).exit_code, 0);
  EXPECT_TRUE(eventually([&] {
    const auto jobs = slurm->queue();
    return jobs.size() == 2 && std::find(jobs.begin(), jobs.end(), first) == jobs.end();
  }));
  expect_all(futures);
  // scancel sends SIGTERM to the tasks, too: what ran there may have run again.
  EXPECT_LE(shared().runs, static_cast<std::uint64_t>(call_count) + 2);
  executor.shutdown();
  expect_down();
  expect_empty_queue();
}

// A worker whose node fails is requeued by Slurm; those that come to their walltime drain and are
// replaced by the keeper. (Slurm looks for walltimes each 30 s, so that is what this takes.)
TEST_F(Slurm, NodesThatFailAndWalltimesCostNoResult) {
  address_of(up_with({"-n", "2", "--drain-time", "60s", "--", "--time=1", "--exclusive"}));
  ASSERT_TRUE(are_running(2)) << "each on a node of its own";
  const auto jobs = slurm->queue();
  const auto nodes = slurm->queue("%N");
  ClusterExecutor executor(address());
  std::vector<Future<int>> futures;
  // Calls are on their way whatever happens.
  const auto keep_busy = [&] {
    while (futures.size() < shared().runs + 50 && futures.size() < numbers_max)
      futures.push_back(executor.submit(count_slowly, static_cast<int>(futures.size())));
  };
  keep_busy();
  ASSERT_TRUE(have_run(20));
  EXPECT_EQ(slurm->call({"scontrol", "update", "nodename=" + nodes[0], "state=down", "reason=test"})
                .exit_code,
            0);
  const auto joined = [&](const std::string& job) {
    const std::string log = coordinator().err();
    const std::string line = "worker 'default-" + job + "' of";
    const auto first = log.find(line);
    return first != std::string::npos && log.find(line, first + 1) != std::string::npos;
  };
  const auto is_queued = [&](const std::string& job) {
    const auto now = slurm->queue();
    return std::find(now.begin(), now.end(), job) != now.end();
  };
  EXPECT_TRUE(eventually([&] { return keep_busy(), joined(jobs[0]); })) << "it was requeued";
  EXPECT_TRUE(is_queued(jobs[1]));
  EXPECT_TRUE(eventually([&] { return keep_busy(), !is_queued(jobs[1]); }, 50s));
  EXPECT_NE(await_line(coordinator(), "worker 'default-" + jobs[1] + "' has gone: it has drained"),
            "");
  EXPECT_TRUE(eventually([&] { return keep_busy(), slurm->queue("%T").size() == 2; }));
  for (std::size_t i = 0; i < futures.size(); ++i) {
    ASSERT_EQ(futures[i].result(60s), static_cast<int>(i));
    ASSERT_LE(shared().runs_by_number[i], 2U) << "only what the node had may have run again";
  }
  EXPECT_GT(futures.size(), 500U);
  executor.shutdown();
  expect_down();
  expect_empty_queue();
}

TEST_F(Slurm, RefusalsAreShown) {
  expect_refused(up_with({"--", "--partition=nowhere"}), 2, "Invalid partition");
  expect_refused(up_with({"--", "--array=0-7"}), 2, "--array=0-7");
  environment.emplace_back("PATH=/nowhere");
  expect_refused(up_with({}), 2, "there is no program 'sbatch'");
}

TEST_F(Slurm, ThePrintedScriptCanBeSubmitted) {
  const Finished script =
      cluster({"print-script", "--launcher", "slurm", "-n", "2", "--coordinator", address(),
               "--name", "by-hand", "--env", "A=it's $HOME", "--", "--comment=a b"});
  ASSERT_EQ(script.exit_code, 0) << script.text();
  EXPECT_TRUE(slurm->queue().empty());
  write_file_synced(path("script.sh"), script.out);
  fs::create_directories(of_cluster("by-hand") / "logs");
  const Finished job = slurm->call({"sbatch", "--parsable", path("script.sh")});
  ASSERT_EQ(job.exit_code, 0) << job.text();
  EXPECT_NE(await_line(coordinator(), "worker 'by-hand-"), "");
  ASSERT_TRUE(are_running(2));
  EXPECT_EQ(slurm->queue("%k").front(), "a b");
  ClusterExecutor executor(address());
  EXPECT_EQ(executor.submit([] { return std::string(std::getenv("A")); }).result(60s),
            "it's $HOME");
  executor.shutdown();
  EXPECT_EQ(slurm->call({"scancel", "--user=root"}).exit_code, 0);
  EXPECT_TRUE(eventually([&] { return slurm->queue().empty(); }));
}

}  // namespace
}  // namespace muster::testing
