// What is special to clusters.
#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/cluster/client/job_client.hpp>
#include <muster/muster.hpp>

#include "contract.hpp"
#include "support/local_cluster.hpp"
#include "support/process_pools.hpp"
#include "tasks.hpp"

namespace muster::conformance {
namespace {

using namespace std::chrono_literals;
using test::LocalCluster;

class Clusters : public ClusterContract {
 protected:
  ~Clusters() override { shared().gate = 1; }
};

struct OwnError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
void throw_nested() {
  try {
    throw std::out_of_range("the cause");
  } catch (...) {
    std::throw_with_nested(OwnError("the effect"));
  }
}

TEST_F(Clusters, AnErrorTellsWhatItWasThere) {
  covers({85});
  LocalCluster cluster({});
  ClusterExecutor executor(cluster.address());
  const pid_t task_process = executor.submit(own_pid).result(60s);
  const Future<void> task = executor.submit(throw_nested);
  try {
    task.result(60s);
    ADD_FAILURE() << "no error";
  } catch (const RemoteError& error) {
    EXPECT_NE(error.type().find("OwnError"), std::string::npos) << error.type();
    ASSERT_EQ(error.chain().size(), 2U);
    EXPECT_EQ(error.chain()[1].message, "the cause");
    EXPECT_EQ(error.pid(), task_process);
    EXPECT_FALSE(error.host().empty());
    EXPECT_FALSE(error.backtrace().empty());
  }
}

TEST_F(Clusters, AClientMayWaitForEverForItsCoordinator) {
  const LocalCluster cluster(LocalCluster::Options{});
  ClusterExecutor executor(cluster.address(),
                           {.connect_within = Duration::max(), .give_up_after = Duration::max()});
  EXPECT_EQ(executor.submit(twice, 4).result(60s), 8);
}

TEST_F(Clusters, FuturesOfALostCoordinatorSayWhy) {
  covers({94, 95, 96});
  std::optional<LocalCluster> cluster(std::in_place, LocalCluster::Options{});
  ClusterExecutor executor(cluster->address(), {.give_up_after = 300ms});
  const Future<int> running = executor.submit(pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  const Future<int> behind = executor.submit(twice, 1);
  cluster.reset();
  for (const auto& each : {running, behind}) {
    try {
      each.result(60s);
      ADD_FAILURE() << "no error";
    } catch (const BrokenExecutor& error) {
      EXPECT_NE(std::string(error.what()).find("coordinator"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(executor.submit(twice, 1), BrokenExecutor);
}

TEST_F(Clusters, WhereNobodyListensThereIsAnErrorInTime) {
  const TimePoint start = Clock::now();
  try {
    const ClusterExecutor executor("tcp://127.0.0.1:1", {.connect_within = 200ms});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_NE(std::string(error.what()).find("tcp://127.0.0.1:1"), std::string::npos);
    EXPECT_NE(error.hint().find("muster-coordinator"), std::string::npos);
  }
  EXPECT_LT(Clock::now() - start, 30s);
  EXPECT_THROW(const ClusterExecutor odd("nonsense"), Error);
}

TEST_F(Clusters, WorkersComeAndGoAndTheWorkGoesOn) {
  LocalCluster cluster({.workers = 2});
  ClusterExecutor executor(cluster.address());
  EXPECT_TRUE(eventually([&] { return executor.max_workers() == 2; }));
  std::vector<Future<int>> futures;
  for (int i = 0; i < 2000; ++i) futures.push_back(executor.submit(count, i));
  cluster.drain_worker();
  cluster.add_worker();
  for (int i = 2000; i < 4000; ++i) futures.push_back(executor.submit(count, i));
  for (int i = 0; i < 4000; ++i) {
    const auto at = static_cast<std::size_t>(i);
    ASSERT_EQ(futures[at].result(60s), i);
    ASSERT_EQ(shared().runs_by_number[at], 1U) << "a worker that leaves ends what it has begun";
  }
  EXPECT_TRUE(eventually([&] { return executor.worker_count() == 2; }));
}

TEST_F(Clusters, CallsWaitForAWorker) {
  LocalCluster cluster({.workers = 0});
  ClusterExecutor executor(cluster.address());
  const Future<int> future = executor.submit(twice, 4);
  EXPECT_FALSE(future.wait(50ms));
  cluster.add_worker();
  EXPECT_EQ(future.result(60s), 8);
}

TEST_F(Clusters, ManyClientsShareIt) {
  LocalCluster cluster({.workers = 2});
  ClusterExecutor a(cluster.address());
  ClusterExecutor b(cluster.address());
  std::vector<Future<int>> of_a;
  std::vector<Future<int>> of_b;
  for (int i = 0; i < 500; ++i) {
    of_a.push_back(a.submit(twice, i));
    of_b.push_back(b.submit(twice, -i));
  }
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(of_a[static_cast<std::size_t>(i)].result(60s), 2 * i);
    EXPECT_EQ(of_b[static_cast<std::size_t>(i)].result(60s), -2 * i);
  }
}

int waits_for_stop(std::stop_token stop) {
  ++shared().runs;
  while (!stop.stop_requested()) ::usleep(100);  // bounded poll: the test stops it, or kills us
  return 7;
}

TEST_F(Clusters, ARunningCallIsAskedToStop) {
  LocalCluster cluster({});
  ClusterExecutor executor(cluster.address());
  const Future<int> future = executor.submit(waits_for_stop);
  ASSERT_TRUE(eventually([&] { return future.running(); }));
  EXPECT_FALSE(future.cancel()) << "it was asked, and gives what it gives";
  EXPECT_EQ(future.result(60s), 7);
  const Future<int> other = executor.submit(waits_for_stop);
  ASSERT_TRUE(eventually([&] { return other.running(); }));
  EXPECT_EQ(other.stop({.grace = 60s}), CancelRung::stop_requested);
  EXPECT_EQ(other.result(0s), 7);
}

TEST_F(Clusters, TheLadderTellsHowFarItWent) {
  LocalCluster cluster({});
  ClusterExecutor executor(cluster.address());
  const Future<int> running = executor.submit(pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  const Future<int> behind = executor.submit(count, 1);
  ASSERT_TRUE(eventually([&] { return behind.state() == FutureState::dispatched; }));
  EXPECT_EQ(running.stop({.highest = CancelRung::recalled}), CancelRung::none);
  EXPECT_EQ(behind.stop({.highest = CancelRung::recalled, .grace = 60s}), CancelRung::recalled);
  EXPECT_TRUE(behind.cancelled());
  EXPECT_EQ(running.stop(), CancelRung::killed);
  EXPECT_TRUE(running.cancelled());
  EXPECT_EQ(executor.submit(twice, 4).result(60s), 8);
  EXPECT_EQ(shared().runs, 1U) << "what was recalled never ran";
}

TEST_F(Clusters, ATimeoutKillsWhatRuns) {
  LocalCluster cluster({});
  ClusterExecutor executor(cluster.address());
  const Future<int> late = executor.submit(TaskOptions{.run_timeout = 50ms}, pass_gate, 0);
  EXPECT_THROW(late.result(60s), DeadlineError);
  const Future<int> unstarted = [&] {
    executor.submit(pass_gate, 1);
    return executor.submit(TaskOptions{.queue_timeout = 50ms}, count, 2);
  }();
  EXPECT_THROW(unstarted.result(60s), DeadlineError);
  // What is said to a worker arrives in order: now it has heard of that.
  const Future<int> behind = executor.submit(count, 3);
  ASSERT_TRUE(eventually([&] { return behind.state() == FutureState::dispatched; }));
  EXPECT_EQ(behind.stop({.highest = CancelRung::recalled, .grace = 60s}), CancelRung::recalled);
  shared().gate = 1;
  EXPECT_EQ(executor.submit(twice, 4).result(60s), 8);
  EXPECT_EQ(shared().runs_by_number[2], 0U);
}

// Under the address sanitizer: the timer destroys the arguments of a task that is over in time.
TEST_F(Clusters, ADeadlineMayPassWhileTheCallIsMade) {
  LocalCluster cluster({});
  ClusterExecutor executor(cluster.address());
  const std::string text(1'000'000, 'x');
  for (int i = 0; i < 50; ++i) {
    const Future<std::size_t> late = executor.submit(
        TaskOptions{.total_timeout = std::chrono::nanoseconds(1 + 20'000 * i)},
        [](const std::string& x) { return x.size(); }, text);
    try {
      EXPECT_EQ(late.result(60s), text.size());
    } catch (const DeadlineError&) {
      continue;
    }
  }
}

void die_at_first(int number) {
  if (shared().runs_by_number[static_cast<std::size_t>(number)]++ == 0) ::_exit(1);
}

TEST_F(Clusters, ADeadProcessIsRetriedWithinItsBudget) {
  LocalCluster cluster({});
  ClusterExecutor executor(cluster.address());
  const Future<void> retried =
      executor.submit(TaskOptions{.retries = {.worker_lost = 1}}, die_at_first, 0);
  EXPECT_NO_THROW(retried.result(60s));
  EXPECT_EQ(shared().runs_by_number[0], 2U);
  const Future<void> not_retried = executor.submit(TaskOptions{.name = "fragile"}, die_at_first, 1);
  try {
    not_retried.result(60s);
    ADD_FAILURE() << "no error";
  } catch (const WorkerDiedError& error) {
    EXPECT_EQ(error.death().exit_code, 1);
    EXPECT_EQ(error.death().task_name, "fragile");
  }
  EXPECT_EQ(shared().runs_by_number[1], 1U);
}

TEST_F(Clusters, HigherPriorityGoesFirst) {
  LocalCluster::Options options;
  options.worker.ahead = 1;
  LocalCluster cluster(options);
  ClusterExecutor executor(cluster.address());
  const Future<int> busy = executor.submit(pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  std::vector<Future<int>> low;
  for (int i = 0; i < 20; ++i) low.push_back(executor.submit(count, 1));
  const Future<int> high = executor.submit(
      TaskOptions{.priority = 1},
      [](int) { return static_cast<int>(shared().runs_by_number[1].load()); }, 0);
  cluster::JobClient questions(cluster.address(), {});
  EXPECT_TRUE(eventually([&] { return questions.workers().open_calls == low.size() + 2; }))
      << "the coordinator has them all";
  shared().gate = 1;
  EXPECT_LE(high.result(60s), 2) << "so many were with the worker already";
  for (const auto& each : low) EXPECT_EQ(each.result(60s), 1);
}

TEST_F(Clusters, AForkedChildLeavesItAlone) {
  covers({62});
  LocalCluster cluster({});
  auto executor = std::make_unique<ClusterExecutor>(cluster.address());
  const Future<int> busy = executor->submit(pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  const pid_t pid = ::fork();
  if (pid == 0) {
    try {
      executor->submit(twice, 1);
      ::_exit(1);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::usage) ::_exit(2);
    }
    executor->shutdown();
    executor.reset();
    ::_exit(7);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  shared().gate = 1;
  EXPECT_EQ(busy.result(60s), 0);
}

}  // namespace
}  // namespace muster::conformance
