// What dies, and what goes on all the same. Each test counts its faults.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include <unistd.h>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

#include "cluster_of_programs.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;
using test::shared;

int count_slowly(int number) {
  ++shared().runs;
  ++shared().runs_by_number[number];
  ::usleep(2000);  // slow on purpose: so that there is something to kill
  return number;
}

int pass_gate(int number) {
  ++shared().runs_by_number[number];
  test::stay_at_gate();
  return number;
}

class Kills : public ClusterOfPrograms {
 protected:
  static constexpr int count = 1000;

  std::vector<Future<int>> submit_all(ClusterExecutor& cluster) {
    std::vector<Future<int>> out;
    for (int i = 0; i < count; ++i) out.push_back(cluster.submit(count_slowly, i));
    return out;
  }
  static void expect_all(const std::vector<Future<int>>& futures) {
    for (int i = 0; i < count; ++i) ASSERT_EQ(futures[static_cast<std::size_t>(i)].result(120s), i);
  }
  static bool have_run(std::uint64_t runs) {
    return eventually([runs] { return shared().runs >= runs; }, 60s);
  }
  int kills = 0;
};

TEST_F(Kills, OfWorkersCostNoResult) {
  start_coordinator({"--lease", "1s"});
  for (const char* name : {"a", "b", "c"}) start_worker(name);
  ClusterExecutor cluster(address());
  const auto futures = submit_all(cluster);
  ASSERT_TRUE(have_run(50));
  for (int round = 0; round < 4; ++round) {
    kill(workers().front(), SIGKILL);
    ++kills;
    workers().erase(workers().begin());
    start_worker("new" + std::to_string(round));
    ASSERT_TRUE(have_run(shared().runs + 50));
  }
  expect_all(futures);
  EXPECT_EQ(kills, 4);
  for (int i = 0; i < count; ++i) EXPECT_LE(shared().runs_by_number[i], 4U) << i;
  EXPECT_NE(await_line(coordinator(), "has gone"), "") << "the coordinator has noticed";
}

// Where a call must not run twice, those that may have run are given up; the others are not.
TEST_F(Kills, OfAWorkerFailWhatMayNotRunAgain) {
  start_coordinator({"--lease", "1s"});
  start_worker("a");
  ClusterExecutor cluster(address(), {.worker_retries = 0});
  const auto futures = submit_all(cluster);
  ASSERT_TRUE(have_run(20));
  kill(workers().front(), SIGKILL);
  ++kills;
  workers().clear();
  start_worker("b");
  int lost = 0;
  for (int i = 0; i < count; ++i) {
    try {
      EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(120s), i);
    } catch (const WorkerLostError&) {
      ++lost;
    }
    EXPECT_LE(shared().runs_by_number[i], 1U) << i;
  }
  EXPECT_GE(lost, 1);
  EXPECT_LT(lost, count / 2) << "what it had not got runs elsewhere";
  EXPECT_EQ(kills, 1);
}

TEST_F(Kills, OfAllWorkersAtOnceAreWaitedOut) {
  start_coordinator({"--lease", "1s"});
  for (const char* name : {"a", "b"}) start_worker(name);
  ClusterExecutor cluster(address());
  const auto futures = submit_all(cluster);
  ASSERT_TRUE(have_run(50));
  for (auto& each : workers()) {
    kill(each, SIGKILL);
    ++kills;
  }
  workers().clear();
  start_worker("late");
  expect_all(futures);
  EXPECT_EQ(kills, 2);
}

TEST_F(Kills, OfTheCoordinatorAreWaitedOut) {
  start_coordinator();
  for (const char* name : {"a", "b"}) start_worker(name);
  ClusterExecutor cluster(address());
  const auto futures = submit_all(cluster);
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(have_run(shared().runs + 50));
    kill(coordinator_slot(), SIGKILL);
    ++kills;
    start_coordinator();
  }
  expect_all(futures);
  EXPECT_EQ(kills, 2);
}

TEST_F(Kills, OfTaskProcessesCostTheirTaskAlone) {
  start_coordinator();
  start_worker("a");
  ClusterExecutor cluster(address());
  const pid_t task_process = cluster.submit([] { return ::getpid(); }).result(60s);
  const Future<int> at_gate = cluster.submit(pass_gate, 1);
  ASSERT_TRUE(eventually([] { return shared().at_gate == 1; }));
  const Future<int> behind = cluster.submit(count_slowly, 2);
  ::kill(task_process, SIGKILL);
  ++kills;
  try {
    at_gate.result(60s);
    ADD_FAILURE() << "no error";
  } catch (const WorkerDiedError& error) {
    EXPECT_EQ(error.death().signal, SIGKILL);
    EXPECT_EQ(error.death().pid, task_process);
  }
  EXPECT_EQ(behind.result(60s), 2);
  EXPECT_EQ(kills, 1);
}

// The old one still runs when another has got its call: what it says in the end is not believed.
TEST_F(Kills, AWorkerThatStoppedForTooLongIsReplacedAndNotBelieved) {
  start_coordinator({"--lease", "600ms"});
  Running& first = start_worker("first");
  ClusterExecutor cluster(address());
  const Future<int> future = cluster.submit(pass_gate, 7);
  ASSERT_TRUE(eventually([] { return shared().at_gate == 1; }));
  first.send(SIGSTOP);
  ++kills;
  EXPECT_NE(await_line(coordinator(), "was not heard of"), "");
  start_worker("second");
  ASSERT_TRUE(eventually([] { return shared().at_gate == 2; })) << "it runs elsewhere";
  shared().gate = 1;
  EXPECT_EQ(future.result(60s), 7);
  first.send(SIGCONT);
  EXPECT_NE(await_line(first, "has joined"), "");
  EXPECT_TRUE(eventually([&] { return cluster.worker_count() == 2; })) << "it has come back";
  EXPECT_EQ(cluster.submit(count_slowly, 3).result(60s), 3);
  EXPECT_EQ(shared().runs_by_number[7], 2U);
  EXPECT_EQ(kills, 1);
}

// A worker that cannot reach its coordinator stops what it runs before somebody else gets it.
TEST_F(Kills, AWorkerWithoutACoordinatorStopsItsWork) {
  start_coordinator({"--lease", "600ms"});
  Running& worker = start_worker("alone");
  ClusterExecutor cluster(address());
  const Future<int> future = cluster.submit(pass_gate, 7);
  ASSERT_TRUE(eventually([] { return shared().at_gate == 1; }));
  coordinator().send(SIGSTOP);
  ++kills;
  EXPECT_NE(await_line(worker, "what runs is stopped"), "");
  coordinator().send(SIGCONT);
  ASSERT_TRUE(eventually([] { return shared().at_gate == 2; })) << "it runs again";
  EXPECT_EQ(shared().passed_gate, 0U) << "the first run was ended";
  shared().gate = 1;
  EXPECT_EQ(future.result(60s), 7);
  EXPECT_EQ(kills, 1);
}

}  // namespace
}  // namespace muster::testing
