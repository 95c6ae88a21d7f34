// Initializers and shutdown: items 59 to 81.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/cpu_count.hpp>
#include <muster/muster.hpp>

#include "contract.hpp"
#include "support/proc.hpp"
#include "support/role.hpp"
#include "tasks.hpp"

namespace muster::conformance {
namespace {

using namespace std::chrono_literals;

class Shutdown : public ExecutorContract {};
MUSTER_CONTRACT_ON_ALL_KINDS(Shutdown);

TEST_P(Shutdown, RefusesWhatComesLater) {
  covers({68});
  executor->shutdown();
  executor->shutdown();
  EXPECT_THROW(executor->submit(twice, 1), Error);
  EXPECT_THROW(static_cast<void>(executor->map(twice, numbers(3))), Error);
}

TEST_P(Shutdown, RunsWhatWasSubmitted) {
  covers({71});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 50; ++i) futures.push_back(executor->submit(count, i));
  executor->shutdown();
  EXPECT_EQ(shared().runs, 50U);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(0s), i);
}

TEST_P(Shutdown, WithoutWaitAndWithoutExecutorTheWorkIsDone) {
  covers({76, 77, 78});
  for (const bool told : {false, true}) {
    reset_shared();
    executor = make(2);
    std::vector<Future<int>> futures;
    for (int i = 0; i < 50; ++i) futures.push_back(executor->submit(count, i));
    if (told) executor->shutdown(false);
    executor.reset();
    EXPECT_EQ(shared().runs, 50U);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(0s), i);
  }
}

TEST_P(Shutdown, CancelPendingLetsWhatRunsEnd) {
  covers({72});
  executor = make(1);
  const Future<int> running = executor->submit(pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  std::vector<Future<int>> queued;
  for (int i = 0; i < 100; ++i) queued.push_back(executor->submit(count, 1));
  executor->shutdown(false, true);
  for (const auto& each : queued) EXPECT_TRUE(each.cancelled());
  shared().gate = 1;
  executor->shutdown();
  EXPECT_EQ(running.result(0s), 0);
  EXPECT_EQ(shared().runs, 1U);
}

TEST_P(Shutdown, SubmitCancelShutdownDoesNotHang) {
  covers({74});
  for (int round = 0; round < 20; ++round) {
    executor = make(2);
    const Future<int> future = executor->submit(twice, 1);
    const bool cancelled = future.cancel();
    executor->shutdown(true, round % 2 == 0);
    EXPECT_TRUE(future.done());
    EXPECT_TRUE(!cancelled || future.cancelled());
  }
}

TEST_P(Shutdown, RefusesWhatComesDuringIt) {
  if (kind().is_decorator) return;  // the pool's own
  covers({70});
  std::atomic<bool> refused = false;
  const Future<int> last = executor->submit(pass_gate, 0);
  last.add_done_callback([&] {
    try {
      executor->submit(twice, 1);
    } catch (const Error& error) {
      refused = error.code() == ErrorCode::broken;
    }
  });
  executor->shutdown(false);
  shared().gate = 1;
  executor->shutdown();
  EXPECT_TRUE(refused);
}

TEST_P(Shutdown, AtTheEndOfTheProgramIsClean) {
  if (kind().is_decorator) return;  // the pool's own
  covers({69, 73, 80});
  for (const char* how : {"plainly", "without_wait", "cancelling"}) {
    const auto result = test::run_role("exit_" + kind().name + "_" + how);
    EXPECT_EQ(result.status, 0) << how << result.status;
    EXPECT_EQ(result.err, "") << how;
    EXPECT_EQ(result.out, how == std::string("cancelling") ? "ran 1\n" : "ran 10\n") << how;
  }
}

TEST_F(ProcessesContract, AGlobalPoolMadeInMainStillDoesItsWork) {
  covers({69});
  const auto result = test::run_role("exit_with_work_of_a_global");
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, "ran 10\n");
}

// What it leaves behind would be this process's, which so sees it.
TEST_F(ProcessesContract, ExitWithALivePoolLeavesNothingBehind) {
  covers({69});
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  const auto before = test::children_of(::getpid());
  const auto result = test::run_role("exit_with_a_live_pool");
  EXPECT_TRUE(WIFEXITED(result.status) && WEXITSTATUS(result.status) == 5) << result.status;
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(eventually([&] {
    for (const pid_t each : test::children_of(::getpid())) {
      const bool is_new = std::find(before.begin(), before.end(), each) == before.end();
      if (is_new) ::waitpid(each, nullptr, WNOHANG);  // a task process: the kernel ends it
    }
    return test::children_of(::getpid()) == before;
  }));
  EXPECT_EQ(result.out, "zygote reaped\n");
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

TEST_F(ProcessesContract, ATaskOfALaterZygoteMayExit) {
  covers({106});
  const auto result = test::run_role("exit_in_a_later_zygote");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "exited with code 3\n");
}

TEST_P(Shutdown, WithoutThreadsThereIsAnErrorAndNoHang) {
  if (kind().is_decorator || kind().is_cluster) return;  // the pool's own; see the excuses
  covers({98});
  const auto result = test::run_role("no_threads_" + kind().name);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("thread"), std::string::npos) << result.out;
}

TEST_F(ThreadsContract, WithoutThreadsNothingIsKept) {
  covers({98});
  const auto result = test::run_role("keeps_nothing_without_threads");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("could not start its first thread"), std::string::npos) << result.out;
}

TEST_F(ThreadsContract, WithoutThreadsNobodySleepsForEver) {
  covers({98});
  const auto result = test::run_role("wakes_without_threads");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "6000\n");
}

TEST_F(ThreadsContract, WithoutATimerARateLimiterRefusesWhatWouldWait) {
  covers({98});
  const auto result = test::run_role("rate_without_timer");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("the timer's thread"), std::string::npos) << result.out;
}

TEST_F(ThreadsContract, StartsAsManyThreadsAsNeeded) {
  covers({59, 60, 61, 75, 88, 89});
  EXPECT_EQ(ThreadPoolExecutor().max_workers(), usable_cpus());
  const std::size_t before = test::count_threads();
  {
    ThreadPoolExecutor pool({.max_workers = 4});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(pool.submit(twice, i).result(), 2 * i);
    EXPECT_EQ(pool.thread_count(), 1U) << "one after the other";
    std::vector<Future<int>> futures;
    for (int i = 0; i < 60; ++i) futures.push_back(pool.submit(pass_gate, i));
    ASSERT_TRUE(at_gate(4));
    EXPECT_EQ(pool.thread_count(), 4U);
    shared().gate = 1;
    wait(futures);
    EXPECT_EQ(pool.thread_count(), 4U);
  }
  EXPECT_TRUE(eventually([&] { return test::count_threads() == before; }));
}

TEST_F(ProcessesContract, StartsAsManyProcessesAsNeeded) {
  covers({59, 60, 61, 75, 88, 89});
  EXPECT_EQ(ProcessPoolExecutor().max_workers(), usable_cpus());
  std::vector<pid_t> pids;
  {
    ProcessPoolExecutor pool({.max_workers = 2});
    std::set<pid_t> sequential;
    for (int i = 0; i < 3; ++i) sequential.insert(pool.submit(own_pid).result());
    EXPECT_EQ(sequential.size(), 1U) << "one after the other";
    std::vector<Future<int>> futures;
    for (int i = 0; i < 30; ++i) futures.push_back(pool.submit(pass_gate, i));
    ASSERT_TRUE(at_gate(2));
    ASSERT_TRUE(eventually([&] { return pool.worker_pids().size() == 2; }));
    pids = pool.worker_pids();
    shared().gate = 1;
    wait(futures);
    EXPECT_EQ(pool.worker_pids(), pids);
  }
  for (const pid_t pid : pids) EXPECT_TRUE(test::is_gone(pid));
}

// Runs `child` in a fork, and gives its exit code; -1 if a signal ended it.
template <class Child>
int exit_code_of_fork(Child child) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    child();
    ::_exit(7);
  }
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

TEST_F(ThreadsContract, AForkedChildEnds) {
  covers({62, 63});
  ThreadPoolExecutor pool({.max_workers = 2});
  const Future<int> busy = pool.submit(pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  EXPECT_EQ(exit_code_of_fork([&] { pool.shutdown(); }), 7);
  EXPECT_EQ(pool.submit([] { return exit_code_of_fork([] {}); }).result(), 7);
  shared().gate = 1;
}

// What a thread of the pool has waiting is the parent's: the child neither runs nor awaits it.
TEST_F(ThreadsContract, AForkOfATaskRunsNothingOfThePool) {
  covers({63});
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<int> code = pool.submit([&pool] {
    const Future<int> mine = pool.submit(count, 1);
    return exit_code_of_fork([&] {
      if (mine.wait(20ms)) ::_exit(1);
      if (wait(std::vector{mine}, {.timeout = 20ms}).done.size() == 1) ::_exit(2);
    });
  });
  EXPECT_EQ(code.result(60s), 7);
  EXPECT_TRUE(pool.drain(60s));
  EXPECT_EQ(shared().runs, 1U);
}

// In a fork: the pool refuses tasks and can be dropped, and another one can be made.
template <class Pool>
void use_in_a_fork(std::unique_ptr<Pool>& pool, const Future<int>& pending) {
  try {
    pool->submit(twice, 1);
    ::_exit(1);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::usage) ::_exit(2);
  }
  if (pending.wait(1ms)) ::_exit(3);
  pool->shutdown();
  pool.reset();
  if (pending.cancel() || pending.done()) ::_exit(5);  // it runs, and elsewhere
  Pool own({.max_workers = 2});
  if (own.submit(twice, 4).result(60s) != 8) ::_exit(4);
}

template <class Pool>
void expect_own_pool_in_a_fork(std::unique_ptr<Pool> pool) {
  const Future<int> busy = pool->submit(pass_gate, 3);
  ASSERT_TRUE(at_gate(1));
  EXPECT_EQ(exit_code_of_fork([&] { use_in_a_fork(pool, busy); }), 7);
  shared().gate = 1;
  EXPECT_EQ(busy.result(60s), 3);
  EXPECT_EQ(pool->submit(twice, 4).result(60s), 8) << "the child has spoilt nothing";
}

TEST_F(ThreadsContract, AForkedChildMakesItsOwnPool) {
  covers({62});
  expect_own_pool_in_a_fork(
      std::make_unique<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 2}));
}

TEST_F(ProcessesContract, AForkedChildMakesItsOwnPool) {
  covers({62});
  expect_own_pool_in_a_fork(
      std::make_unique<ProcessPoolExecutor>(ProcessPoolOptions{.max_workers = 2}));
}

TEST_F(ProcessesContract, AThreadOfThePoolMayFork) {
  covers({63});
  ProcessPoolExecutor pool({.max_workers = 2});
  std::promise<int> code;
  std::atomic<bool> is_other = false;
  const auto here = std::this_thread::get_id();
  pool.submit(pass_gate, 1).add_done_callback([&] {
    is_other = std::this_thread::get_id() != here;
    code.set_value(exit_code_of_fork([] {}));
  });
  ASSERT_TRUE(at_gate(1));
  shared().gate = 1;
  EXPECT_EQ(code.get_future().get(), 7);
  EXPECT_TRUE(is_other);
  EXPECT_EQ(pool.submit([] { return exit_code_of_fork([] {}); }).result(60s), 7) << "a task";
  EXPECT_EQ(pool.submit(twice, 4).result(60s), 8);
}

thread_local bool thread_ready = false;

TEST_F(ThreadsContract, TheInitializerRunsFirstInEachThread) {
  covers({65});
  ThreadPoolExecutor pool({.max_workers = 2, .initializer = [] {
                             count(100);
                             thread_ready = true;
                           }});
  const auto work = [](int number) { return pass_gate(number) == number && thread_ready; };
  const Future<bool> a = pool.submit(work, 1);
  const Future<bool> b = pool.submit(work, 2);
  ASSERT_TRUE(at_gate(2));
  shared().gate = 1;
  EXPECT_TRUE(a.result() && b.result());
  EXPECT_EQ(shared().runs_by_number[100], 2U);
}

bool process_ready = false;
void prepare_process() {
  count(100);
  process_ready = true;
}
bool gate_if_ready(int number) { return pass_gate(number) == number && process_ready; }

TEST_F(ProcessesContract, TheInitializerRunsFirstInEachProcess) {
  covers({65});
  ProcessPoolExecutor pool({.max_workers = 2, .initializer = prepare_process});
  const Future<bool> a = pool.submit(gate_if_ready, 1);
  const Future<bool> b = pool.submit(gate_if_ready, 2);
  ASSERT_TRUE(at_gate(2));
  shared().gate = 1;
  EXPECT_TRUE(a.result() && b.result());
  EXPECT_EQ(shared().runs_by_number[100], 2U);
  EXPECT_FALSE(process_ready) << "not here";
}

void failing_initializer() {
  pass_gate(0);
  throw std::logic_error("the initializer's fault");
}

// The pool is broken by its initializer: what is pending fails, submit() throws, it is logged.
template <class Pool, class Options>
void expect_broken_by_initializer(const Options& options) {
  testing::internal::CaptureStderr();
  {
    reset_shared();
    Pool pool(options);
    const auto is_broken = [](const std::function<void()>& action) {
      try {
        action();
      } catch (const BrokenExecutor& error) {
        return error.code() == ErrorCode::broken;
      }
      return false;
    };
    std::vector<Future<int>> pending;
    for (int i = 0; i < 5; ++i) pending.push_back(pool.submit(twice, i));
    EXPECT_TRUE(eventually([] { return shared().at_gate > 0; }));
    shared().gate = 1;
    for (const auto& each : pending) EXPECT_TRUE(is_broken([&] { each.result(60s); }));
    EXPECT_TRUE(is_broken([&] { pool.submit(twice, 1); }));
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("the initializer's fault"), std::string::npos) << log;
}

TEST_F(ThreadsContract, AFailingInitializerBreaksThePool) {
  covers({66, 67});  // LeakCheck looks for what is left
  for (int round = 0; round < 10; ++round) {
    expect_broken_by_initializer<ThreadPoolExecutor>(
        ThreadPoolOptions{.max_workers = 2, .initializer = failing_initializer});
  }
}

TEST_F(ProcessesContract, AFailingInitializerBreaksThePool) {
  covers({66, 67});
  for (int round = 0; round < 10; ++round) {
    expect_broken_by_initializer<ProcessPoolExecutor>(
        ProcessPoolOptions{.max_workers = 2, .initializer = failing_initializer});
  }
}

TEST_F(ThreadsContract, ThreadsHaveNames) {
  covers({79});
  ThreadPoolExecutor pool({.max_workers = 1, .thread_name_prefix = "a-long-thread-name"});
  const std::string name = pool.submit([] {
                                 char out[16] = {};
                                 ::pthread_getname_np(::pthread_self(), out, sizeof(out));
                                 return std::string(out);
                               })
                               .result();
  EXPECT_EQ(name, "a-long-thread-0") << "as much as the kernel keeps";
}

}  // namespace
}  // namespace muster::conformance
