// Hosts that do not reach each other: both ways, one way, again and again, for longer than a lease.
#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include <unistd.h>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

#include "cluster_on_network.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;
using test::shared;

constexpr int files_of_output = 4;  // three parts and the manifest

/// Which run of its task this is, of all that there were.
int number_of_run() {
  const auto number = static_cast<int>(++shared().runs);
  test::stay_at_gate();
  return number;
}

class Partitions : public ClusterOnNetwork {
 protected:
  /// The slow lines, counted by processes of this machine alone.
  void count_here() {
    const Finished end = muster(run_slow({"-q", "-j", "16", "-o", "here"}));
    ASSERT_EQ(end.exit_code, 0) << end.text();
  }

  /// Worker a is cut off during a job, until it was given up. Others do its part.
  void expect_job_survives(const std::function<void()>& cut) {
    start("1s");
    write_slow_lines(2000);
    count_here();
    const std::string job = submit(slow({"-o", "there"}));
    ASSERT_TRUE(has_done(job, 20));
    cut();
    EXPECT_NE(await_line(coordinator(), "worker 'a' has gone: it was not heard of"), "");
    EXPECT_NE(await_line(worker("a"), "what runs is stopped"), "");
    network().heal();
    expect_success(job);
    expect_same_files("here", "there", files_of_output);
    EXPECT_EQ(count(log(job), "worker 'a' has gone"), 1) << log(job);
    EXPECT_EQ(count(log(job), "it was not heard of for the time of its lease"), 1) << log(job);
    EXPECT_TRUE(has_joined("a", 2)) << "it has come back";
    EXPECT_TRUE(has_joined("b", 1));
    EXPECT_TRUE(has_joined("c", 1));
  }

  /// A cluster whose worker a is cut off with the result of a call. False if the fault has not come
  /// about: on a slow machine the worker may have given up before it had the result, or its host
  /// gives up the connection.
  bool refuses_late_result() {
    test::reset_shared();
    start("1s", {"a"});
    ClusterExecutor cluster(address(), client());
    const Future<int> future = cluster.submit(number_of_run);
    EXPECT_TRUE(eventually([] { return shared().at_gate == 1; }));
    network().cut("a", "head");
    shared().gate = 1;
    EXPECT_NE(await_line(coordinator(), "worker 'a' has gone: it was not heard of"), "");
    const bool is_on_its_way = network().unsent_of_closed("a") > 0;
    if (is_on_its_way) {
      start_worker_on("b");
      EXPECT_EQ(future.result(60s), 2) << "of the second run";
    }
    network().heal();
    EXPECT_TRUE(eventually([&] { return network().unsent_of_closed("a") == 0; }));
    EXPECT_TRUE(has_joined("a", 2));
    EXPECT_EQ(future.result(60s), static_cast<int>(shared().runs));
    cluster.shutdown();
    coordinator().send(SIGTERM);
    const Finished end = coordinator().wait();
    for (auto& each : workers()) kill(each, SIGKILL);
    workers().clear();
    EXPECT_NE(end.err.find("1 calls were taken, 1 workers lost"), std::string::npos) << end.err;
    return is_on_its_way && end.err.find(" 0 frames refused") == std::string::npos;
  }
};

TEST_F(Partitions, OfAWorkerCostAJobNothing) {
  expect_job_survives([&] { network().isolate("a"); });
}

TEST_F(Partitions, OnTheWayToTheCoordinatorCostAJobNothing) {
  expect_job_survives([&] { network().cut("a", "head"); });
}

TEST_F(Partitions, OnTheWayFromTheCoordinatorCostAJobNothing) {
  expect_job_survives([&] { network().cut("head", "a"); });
}

// What it says of a call arrives when that was given to another: it is refused.
TEST_F(Partitions, MakeResultsLateWhichAreRefused) {
  constexpr int attempts_max = 8;
  int attempts = 1;
  while (!refuses_late_result() && !HasFailure() && attempts < attempts_max) ++attempts;
  RecordProperty("attempts", attempts);
  EXPECT_LT(attempts, attempts_max) << "no result was on its way when its worker gave up";
}

// Shorter than a lease: they cost time, and nothing else.
TEST_F(Partitions, ThatComeAndGoLoseNobody) {
  constexpr int flaps = 15;
  start("10s");
  write_slow_lines(5000);
  count_here();
  const std::string job = submit(slow({"-o", "there"}));
  ASSERT_TRUE(has_done(job, 20));
  for (; faults < flaps; ++faults) {
    network().isolate(faults % 2 == 0 ? "head" : "a");
    ::usleep(100'000);  // slow on purpose: so long nothing gets through
    network().heal();
    ::usleep(150'000);  // slow on purpose: and so long everything does
  }
  expect_success(job);
  expect_same_files("here", "there", files_of_output);
  expect_nobody_lost();
  EXPECT_EQ(count(log(job), "failed"), 0) << log(job);
}

// All reach the coordinator, but nobody gets the map outputs of one of them, nor it theirs.
TEST_F(Partitions, BetweenWorkersAreFoundAndGotRound) {
  start("1s");
  write_slow_lines(600);
  count_here();
  network().cut_both_ways("a", "b");
  network().cut_both_ways("a", "c");
  const std::string job = submit(slow({"-o", "there"}));
  expect_success(job);
  expect_same_files("here", "there", files_of_output);
  EXPECT_GE(count(log(job), "could not be fetched from 'tcp://" + network().address("a")), 1)
      << log(job);
  EXPECT_EQ(count(log(job), "is cut off from others"), 1) << log(job);
  EXPECT_EQ(count(log(job), "worker 'a' is cut off from others"), 1) << log(job);
  EXPECT_EQ(count(on_cluster({"workers"}).out, "cut off"), 1);
  expect_nobody_lost();
}

TEST_F(Partitions, OfAClientAreWaitedOut) {
  start("1s");
  write_slow_lines(2000);
  count_here();
  Running client(command("muster", for_cluster(run_slow({"-q", "-o", "there"}))));
  ASSERT_TRUE(has_done("1", 20));
  network().isolate("desk");
  EXPECT_NE(await_line(coordinator(), "client 'muster' has gone: it was not heard of"), "");
  EXPECT_FALSE(client.ended());
  network().heal();
  const Finished end = client.wait();
  EXPECT_EQ(end.exit_code, 0) << end.text();
  expect_same_files("here", "there", files_of_output);
  EXPECT_EQ(count(log("1"), "has gone"), 0) << log("1");
}

}  // namespace
}  // namespace muster::testing
