#include <algorithm>
#include <chrono>
#include <csignal>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/executors/process_pool.hpp>
#include <muster/futures/errors.hpp>
#include <muster/futures/wait.hpp>

#include "support.hpp"
#include "support/process_pools.hpp"

// Everything that ends a task before it ends by itself, and what runs again afterwards.

namespace muster::test {
namespace {

using namespace std::chrono_literals;

pid_t pid_of_task() { return ::getpid(); }
int same(int value) { return value; }
int count_run(int number) {
  ++shared().runs_by_number[number];
  return number;
}
int take_turn() { return static_cast<int>(shared().runs++); }
int spin_for_ever(int number) {
  ++shared().runs_by_number[number];
  ++shared().at_gate;
  for (volatile bool forever = true; forever;) {
  }
  return number;
}
int gate(int number) {
  ++shared().runs_by_number[number];
  stay_at_gate();
  return number;
}
int until_marked(int number) {
  ++shared().at_gate;
  while (shared().runs_by_number[number] == 0) ::usleep(100);  // bounded poll: the test does that
  return number;
}
int until_stopped(std::stop_token stop, bool throws) {
  ++shared().runs;
  ++shared().at_gate;
  while (!stop.stop_requested()) ::usleep(100);  // bounded poll: the test asks, or kills us
  if (throws) throw std::runtime_error("stopped");
  return 7;
}
int ignores_token(std::stop_token, int number) { return gate(number); }

/// Dies so often, then gives its process.
pid_t die_at_first(int deaths) {
  if (shared().runs++ < static_cast<std::uint64_t>(deaths)) ::raise(SIGSEGV);
  return ::getpid();
}

bool at_gate(std::uint64_t count) {
  return eventually([count] { return shared().at_gate == count; });
}

class StopTest : public PoolTest {};

TEST_F(StopTest, ATaskThatTakesATokenEndsItself) {
  ProcessPoolExecutor pool({.max_workers = 1});
  for (const bool throws : {false, true}) {
    shared().at_gate = 0;
    const Future<int> task = pool.submit(until_stopped, throws);
    ASSERT_TRUE(at_gate(1));
    EXPECT_FALSE(task.cancel());
    if (throws) {
      EXPECT_THROW(task.result(60s), std::runtime_error);
    } else {
      EXPECT_EQ(task.result(60s), 7);
    }
  }
  EXPECT_EQ(shared().runs.load(), 2U);
}

TEST_F(StopTest, ATokenOfOneTaskIsNotThatOfTheNext) {
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 4});
  const Future<int> first = pool.submit(until_stopped, false);
  const Future<int> second = pool.submit(until_stopped, false);
  ASSERT_TRUE(at_gate(1));
  EXPECT_FALSE(first.cancel());
  EXPECT_EQ(first.result(60s), 7);
  ASSERT_TRUE(at_gate(2));
  EXPECT_FALSE(second.wait(20ms)) << "nobody asked it to stop";
  EXPECT_FALSE(second.cancel());
  EXPECT_EQ(second.result(60s), 7);
}

TEST_F(StopTest, BeforeItStartsATaskWithATokenIsWithdrawn) {
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 1});
  const Future<int> busy = pool.submit(gate, 0);
  ASSERT_TRUE(at_gate(1));
  const Future<int> sent = pool.submit(until_stopped, false);
  const Future<int> queued = pool.submit(until_stopped, false);
  EXPECT_TRUE(sent.cancel());
  EXPECT_TRUE(queued.cancel());
  shared().gate = 1;
  EXPECT_EQ(busy.result(60s), 0);
  pool.shutdown();
  EXPECT_EQ(shared().runs.load(), 0U);
}

TEST_F(StopTest, ATaskWithATokenIsNeverKilled) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const pid_t pid = pool.submit(pid_of_task).result();
  int ran = 0;
  for (int round = 0; round < 300; ++round) {
    const Future<int> task = pool.submit(until_stopped, false);
    if (task.cancel()) continue;
    ASSERT_EQ(task.result(60s), 7) << round;
    ++ran;
  }
  EXPECT_EQ(shared().runs.load(), static_cast<std::uint64_t>(ran));
  EXPECT_EQ(pool.submit(pid_of_task).result(), pid);
}

TEST_F(StopTest, ATokenMayBeIgnored) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const Future<int> task = pool.submit(ignores_token, 3);
  ASSERT_TRUE(at_gate(1));
  EXPECT_FALSE(task.cancel());
  EXPECT_FALSE(task.done());
  shared().gate = 1;
  EXPECT_EQ(task.result(60s), 3);
}

TEST_F(StopTest, ARunTimeoutKillsItsTaskAlone) {
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 4});
  std::vector<Future<int>> others;
  const Future<int> endless = pool.submit({.run_timeout = 50ms}, spin_for_ever, 0);
  for (int i = 1; i <= 8; ++i) others.push_back(pool.submit({.run_timeout = 60s}, count_run, i));
  EXPECT_THROW(endless.result(60s), DeadlineError);
  for (int i = 1; i <= 8; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i - 1)].result(60s), i);
  for (int i = 0; i <= 8; ++i) EXPECT_EQ(shared().runs_by_number[i].load(), 1U) << i;
}

TEST_F(StopTest, ARunTimeoutCountsWhileThePoolSleeps) {
  ProcessPoolExecutor pool({.max_workers = 1});
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(pool.submit(same, round).result(60s), round);
    ASSERT_TRUE(eventually(other_threads_sleep));
    const Future<int> endless = pool.submit({.run_timeout = 20ms}, spin_for_ever, 0);
    EXPECT_THROW(endless.result(60s), DeadlineError);
  }
  const Future<int> patient = pool.submit({.run_timeout = 1h}, gate, 1);
  ASSERT_TRUE(at_gate(4));
  const Future<int> behind = pool.submit({.run_timeout = 20ms}, spin_for_ever, 2);
  shared().gate = 1;
  EXPECT_EQ(patient.result(60s), 1);
  EXPECT_THROW(behind.result(60s), DeadlineError);
}

TEST_F(StopTest, ARunTimeoutEndsAStoppedProcessToo) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const Future<int> task = pool.submit({.run_timeout = 500ms}, gate, 0);
  ASSERT_TRUE(eventually([&] { return pool.progress(task).has_value() || task.done(); }));
  for (const pid_t pid : pool.worker_pids()) ::kill(pid, SIGSTOP);
  EXPECT_THROW(task.result(60s), DeadlineError);
  EXPECT_EQ(pool.submit(same, 1).result(60s), 1);
}

TEST_F(StopTest, ARetriedTaskRunsTheThirdTimeAlone) {
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 2});
  const Future<pid_t> task = pool.submit({.retries = {.worker_lost = 2}}, die_at_first, 2);
  std::vector<Future<pid_t>> others;
  for (int i = 0; i < 20; ++i) others.push_back(pool.submit(pid_of_task));
  const pid_t last = task.result(60s);
  EXPECT_EQ(shared().runs.load(), 3U);
  for (const auto& each : others) EXPECT_NE(each.result(60s), last);
}

TEST_F(StopTest, ARetriedTaskFailsWhenItsBudgetIsUsedUp) {  // 86
  ProcessPoolExecutor pool({.max_workers = 1});
  const Future<pid_t> twice = pool.submit({.retries = {.worker_lost = 2}}, die_at_first, 1000);
  const WorkerDeath death = death_of(twice);
  EXPECT_EQ(death.deaths, 3U);
  EXPECT_EQ(death.signal, SIGSEGV);
  EXPECT_EQ(shared().runs.load(), 3U);
  shared().runs = 0;
  const Future<pid_t> never = pool.submit(die_at_first, 1000);
  EXPECT_EQ(death_of(never).deaths, 1U);
  EXPECT_EQ(shared().runs.load(), 1U);
}

TEST_F(StopTest, ADeadlineIsNotRetried) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const TaskOptions options{.run_timeout = 20ms, .retries = {.worker_lost = 5}};
  const Future<int> task = pool.submit(options, spin_for_ever, 0);
  EXPECT_THROW(task.result(60s), DeadlineError);
  EXPECT_EQ(shared().runs_by_number[0].load(), 1U);
}

class EndByForceTest : public PoolTest, public testing::WithParamInterface<int> {
 protected:
  static void end(ProcessPoolExecutor& pool) {
    if (GetParam() == SIGKILL) {
      pool.kill_workers();
    } else {
      pool.terminate_workers();
    }
  }
};

TEST_P(EndByForceTest, FailsAllAndReplacesNobody) {  // 95, 99, 100
  ProcessPoolExecutor pool({.max_workers = 2, .prefetch = 2});
  std::vector<Future<int>> running{pool.submit(gate, 0),
                                   pool.submit({.retries = {.worker_lost = 9}}, gate, 1)};
  ASSERT_TRUE(at_gate(2));
  std::vector<Future<int>> waiting;
  for (int i = 2; i < 20; ++i) waiting.push_back(pool.submit(count_run, i));
  ASSERT_TRUE(eventually([&] { return pool.worker_pids().size() == 2; }));
  const std::vector<pid_t> pids = pool.worker_pids();
  end(pool);
  for (const auto& each : running) EXPECT_EQ(death_of(each).signal, GetParam());
  for (const auto& each : waiting) EXPECT_EQ(code_of(each), ErrorCode::broken);
  EXPECT_THROW(pool.submit(same, 1), Error);
  shared().gate = 1;
  pool.shutdown();
  for (const pid_t pid : pids) EXPECT_TRUE(eventually([&] { return is_gone(pid); }));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(shared().runs_by_number[i].load(), i < 2 ? 1U : 0U) << i;
}

TEST_P(EndByForceTest, BeforeTheStartDoesNothing) {  // 101
  ProcessPoolExecutor pool({.max_workers = 2});
  end(pool);
  end(pool);
  EXPECT_TRUE(pool.worker_pids().empty());
}

TEST_P(EndByForceTest, DeadProcessesAreFine) {  // 101
  ProcessPoolExecutor pool({.max_workers = 1});
  const Future<pid_t> pid = pool.submit(pid_of_task);
  ::kill(pid.result(60s), SIGKILL);
  end(pool);
  EXPECT_TRUE(eventually([&] { return pool.worker_pids().empty(); }));
}

INSTANTIATE_TEST_SUITE_P(Signals, EndByForceTest, testing::Values(SIGTERM, SIGKILL));

TEST_F(StopTest, PrioritiesDecideWhatIsSentNext) {
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 0});
  const Future<int> busy = pool.submit(gate, 0);
  ASSERT_TRUE(at_gate(1));
  const std::vector<int> priorities{-1, -2, 0, 5, 0, 7, 5};
  std::vector<Future<int>> futures;
  // The first is looked at in vain while the process is busy; that must not put it in front.
  for (const int priority : priorities) {
    futures.push_back(pool.submit({.priority = priority}, take_turn));
    pool.submit(take_turn).cancel();  // has the pool's thread look at the queue
  }
  shared().gate = 1;
  EXPECT_EQ(busy.result(60s), 0);
  std::vector<int> turns;
  for (const auto& each : futures) turns.push_back(each.result(60s));
  EXPECT_EQ(turns, (std::vector<int>{5, 6, 3, 1, 4, 0, 2}));
}

TEST_F(StopTest, NoTaskWaitsBehindALongOne) {
  // With 50 a process: 49 wait behind each gate, and after the kill the others are just enough for
  // three more processes, so that none is left for those behind the gate that stays shut.
  for (const std::uint64_t tasks_max : {0U, 50U}) {
    for (auto& runs : shared().runs_by_number) runs = 0;
    shared().gate = 0;
    shared().at_gate = 0;
    ProcessPoolExecutor pool({.max_workers = 2, .max_tasks_per_child = tasks_max, .prefetch = 250});
    const Future<int> endless = pool.submit(gate, 0);
    const Future<int> other = pool.submit(gate, 1);
    ASSERT_TRUE(at_gate(2));
    std::vector<Future<int>> futures;
    for (int i = 2; i < 201; ++i) futures.push_back(pool.submit(count_run, i));
    ASSERT_TRUE(eventually([&] { return pool.progress(other).has_value(); }));
    ::kill(pool.progress(other)->pid, SIGKILL);
    death_of(other);
    const auto result = wait(futures, {ReturnWhen::all_completed, 60s});
    EXPECT_EQ(result.not_done.size(), 0U) << tasks_max;
    EXPECT_FALSE(endless.done());
    for (int i = 2; i < 201; ++i) EXPECT_EQ(shared().runs_by_number[i].load(), 1U);
    shared().gate = 1;
    EXPECT_EQ(endless.result(60s), 0);
  }
}

TEST_F(StopTest, NoTaskWaitsBehindALongOneWhenTheLastOneWaitedForIsDone) {
  // The thread that waits takes the replies of the other process itself, up to the last one, and
  // goes away: what is left behind the gate must not wait until somebody comes again.
  constexpr int mark = 300;
  ProcessPoolExecutor pool({.max_workers = 2, .prefetch = 250});
  const Future<int> endless = pool.submit(gate, 0);
  const Future<int> held = pool.submit(until_marked, mark);
  ASSERT_TRUE(at_gate(2));
  std::vector<Future<int>> futures;
  for (int i = 2; i < 201; ++i) futures.push_back(pool.submit(count_run, i));
  shared().runs_by_number[mark] = 1;
  EXPECT_EQ(held.result(60s), mark);
  futures[197].result(60s);  // the last but one: they are sent to the two by turns
  EXPECT_TRUE(eventually([&] {
    return std::all_of(futures.begin(), futures.end(),
                       [](const auto& each) { return each.done(); });
  }));
  for (int i = 2; i < 201; ++i) EXPECT_EQ(shared().runs_by_number[i].load(), 1U) << i;
  EXPECT_FALSE(endless.done());
  shared().gate = 1;
  EXPECT_EQ(endless.result(60s), 0);
}

}  // namespace
}  // namespace muster::test
