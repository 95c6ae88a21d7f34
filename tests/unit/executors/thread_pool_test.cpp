// What is special to threads. The numbers are explained in docs/conformance.md.
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/executors/thread_pool.hpp>
#include <muster/futures/as_completed.hpp>
#include <muster/futures/promise.hpp>
#include <muster/futures/wait.hpp>

#include "support/gate.hpp"

namespace muster {
namespace {

using namespace std::chrono_literals;
using test::Gate;

TEST(ThreadPool, MovesWhatCannotBeCopied) {  // 2
  ThreadPoolExecutor pool({.max_workers = 1});
  auto given = std::make_unique<int>(7);
  Future<std::unique_ptr<int>> future = pool.submit(
      [held = std::make_unique<int>(1)](std::unique_ptr<int> x) {
        *x += *held;
        return x;
      },
      std::move(given));
  EXPECT_EQ(*std::move(future).result(), 8);
}

TEST(ThreadPool, OneThreadRunsThemInOrderWhileMoreCome) {
  constexpr int count = 5000;
  ThreadPoolExecutor pool({.max_workers = 1});
  std::vector<int> seen;  // by the one thread
  Gate gate;
  pool.submit([&gate] { gate.pass(); });
  const auto add = [&](int i) { pool.submit([&seen, i] { seen.push_back(i); }); };
  // Fetched together, in the middle of which the thread looks whether others wait, too.
  for (int i = 0; i < count / 2; ++i) add(i);
  gate.open();
  for (int i = count / 2; i < count; ++i) add(i);
  pool.shutdown();
  ASSERT_EQ(seen.size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) ASSERT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(ThreadPool, TasksThatSubmitTasksForEverStarveNobody) {
  std::atomic<bool> is_over{false};
  std::function<void()> again;
  ThreadPoolExecutor pool({.max_workers = 1});
  again = [&] {
    if (!is_over) pool.submit(again);
  };
  pool.submit(again);
  EXPECT_TRUE(pool.submit([] {}).wait(60s));
  is_over = true;
}

TEST(ThreadPool, TakesAnEndlessInputLazily) {  // 15, 17, 10
  ThreadPoolExecutor pool({.max_workers = 2});
  struct Endless {
    int* taken;
    struct iterator {
      using value_type = int;
      using difference_type = std::ptrdiff_t;
      int* taken;
      int operator*() const { return *taken; }
      iterator& operator++() {
        ++*taken;
        return *this;
      }
      iterator operator++(int) {
        iterator before = *this;
        ++*this;
        return before;
      }
      bool operator==(std::default_sentinel_t) const { return false; }
    };
    iterator begin() const { return {taken}; }
    std::default_sentinel_t end() const { return {}; }
  };
  int taken = 0;
  auto results =
      pool.map([](int) { return 1; }, Endless{&taken}, {.chunk_size = 1, .buffer_size = 10});
  EXPECT_EQ(taken, 10);
  int seen = 0;
  for (const int each : results) {
    if ((seen += each) == 100) break;
  }
  EXPECT_LE(taken, 110);
}

TEST(ThreadPool, AMapsTimeoutCancelsTheRest) {  // 9, 64
  Gate gate;
  std::atomic<int> entered = 0;
  ThreadPoolExecutor pool({.max_workers = 1});
  const auto work = [&](int i) {
    ++entered;
    if (i == 1) gate.pass();
    return i;
  };
  {
    auto results = pool.map(work, std::vector{0, 1, 2, 3}, {.timeout = 200ms, .chunk_size = 1});
    auto at = results.begin();
    EXPECT_EQ(*at, 0);
    EXPECT_THROW(++at, TimeoutError);
    EXPECT_TRUE(at == results.end());
  }
  gate.open();
  pool.shutdown();
  EXPECT_EQ(entered, 2);
}

TEST(ThreadPool, AMapRunsWithoutBeingLookedAt) {  // 58
  std::atomic<int> ran = 0;
  ThreadPoolExecutor pool({.max_workers = 2});
  {
    auto results = pool.map([&](int) { return ++ran; }, std::vector{1, 2, 3, 4});
    results.detach();
  }
  pool.shutdown();
  EXPECT_EQ(ran, 4);
}

TEST(ThreadPool, FreesWhatTasksHeldBeforeTheirFutureIsDone) {  // 19
  ThreadPoolExecutor pool({.max_workers = 1});
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  const Future<int> future =
      pool.submit([](const std::shared_ptr<int>& x) { return *x; }, std::move(held));
  EXPECT_EQ(future.result(), 1);
  EXPECT_TRUE(watched.expired());
}

TEST(ThreadPool, MoreWorkersThanMayBeAreRefused) {  // 20, 59
  EXPECT_THROW(ThreadPoolExecutor({.max_workers = 100'000}), Error);
  EXPECT_GE(ThreadPoolExecutor().max_workers(), 1U);
}

TEST(ThreadPool, BlockedTasksGetAsManyThreadsAsThereMayBe) {  // 60
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 4});
  std::vector<Future<void>> futures;
  for (int i = 0; i < 60; ++i) futures.push_back(pool.submit([&] { gate.pass(); }));
  gate.await(4);
  EXPECT_EQ(pool.thread_count(), 4U);
  gate.open();
  wait(futures);
  EXPECT_EQ(pool.thread_count(), 4U);
}

TEST(ThreadPool, TasksOneAfterTheOtherNeedOneThread) {  // 61
  ThreadPoolExecutor pool({.max_workers = 4});
  std::set<std::thread::id> seen;
  for (int i = 0; i < 200; ++i) {
    seen.insert(pool.submit([] { return std::this_thread::get_id(); }).result());
  }
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(pool.thread_count(), 1U);
}

TEST(ThreadPool, AForkedChildEnds) {  // 62
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 2});
  const Future<void> busy = pool.submit([&] { gate.pass(); });
  gate.await(1);
  const pid_t child = ::fork();
  if (child == 0) {
    pool.shutdown();
    ::_exit(7);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  gate.open();
}

TEST(ThreadPool, TheInitializerRunsFirstInEachThread) {  // 65
  std::atomic<int> ran = 0;
  thread_local bool ready = false;
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 2, .initializer = [&] {
                             ++ran;
                             ready = true;
                           }});
  const auto work = [&] {
    gate.pass();
    return ready;
  };
  const Future<bool> a = pool.submit(work);
  const Future<bool> b = pool.submit(work);
  gate.await(2);
  gate.open();
  EXPECT_TRUE(a.result() && b.result());
  EXPECT_EQ(ran, 2);
}

TEST(ThreadPool, AFailingInitializerBreaksThePool) {  // 66
  ThreadPoolExecutor pool({.max_workers = 1, .initializer = [] { throw std::logic_error("no"); }});
  ::testing::internal::CaptureStderr();
  Future<int> future;
  try {
    future = pool.submit([] { return 1; });
    EXPECT_THROW(future.result(60s), Error);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::broken);  // it broke before the task came
  }
  EXPECT_THROW(pool.submit([] { return 1; }), Error);
  pool.shutdown();
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("initializer threw: no"), std::string::npos) << log;
}

TEST(ThreadPool, CancelPendingLetsWhatRunsEnd) {  // 72, 80
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<int> running = pool.submit([&] {
    gate.pass();
    return 1;
  });
  gate.await(1);
  std::vector<Future<int>> queued;
  for (int i = 0; i < 100; ++i) queued.push_back(pool.submit([] { return 2; }));
  pool.shutdown(false, true);
  for (const auto& each : queued) EXPECT_TRUE(each.cancelled());
  gate.open();
  pool.shutdown();
  EXPECT_EQ(running.result(0s), 1);
}

// Threads take several small tasks at once: those have not been started.
TEST(ThreadPool, RacyAfterCancelPendingNothingStarts) {  // 72
  constexpr unsigned workers = 2;
  for (int round = 0; round < 300; ++round) {
    std::atomic<unsigned> started = 0;
    ThreadPoolExecutor pool({.max_workers = workers});
    for (int i = 0; i < 500; ++i) pool.submit([&] { ++started; });
    pool.shutdown(false, true);
    const unsigned before = started;
    pool.shutdown();
    ASSERT_LE(started, before + workers) << "in round " << round;
  }
}

TEST(ThreadPool, ItsOwnThreadsCannotWaitForItsEnd) {
  ThreadPoolExecutor pool({.max_workers = 1});
  EXPECT_THROW(pool.submit([&] { pool.shutdown(); }).result(), Error);
  pool.submit([&] { pool.shutdown(false); }).result();
}

TEST(ThreadPool, NamesItsThreads) {  // 79
  ThreadPoolExecutor pool({.max_workers = 1, .thread_name_prefix = "a-long-thread-name"});
  const std::string name = pool.submit([] {
                                 std::array<char, 16> out{};
                                 ::pthread_getname_np(::pthread_self(), out.data(), out.size());
                                 return std::string(out.data());
                               })
                               .result();
  EXPECT_EQ(name, "a-long-thread-0") << "as much as the kernel keeps";
}

TEST(ThreadPool, HigherPrioritiesRunFirst) {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<void> first = pool.submit([&] { gate.pass(); });
  gate.await(1);
  std::vector<int> order;
  for (const int priority : {0, -1, 2, 1, 0}) {
    pool.submit(TaskOptions{.priority = priority},
                [&order, priority] { order.push_back(priority); });
  }
  gate.open();
  pool.shutdown();
  EXPECT_EQ(order, (std::vector{2, 1, 0, 0, -1}));
}

TEST(ThreadPool, PrioritiesAge) {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<void> first = pool.submit([&] { gate.pass(); });
  gate.await(1);
  std::vector<int> order;
  pool.submit([&] { order.push_back(-1); });
  for (int i = 0; i < 2000; ++i) {
    pool.submit(TaskOptions{.priority = 1}, [&order, i] { order.push_back(i); });
  }
  gate.open();
  pool.shutdown();
  ASSERT_EQ(order.size(), 2001U);
  EXPECT_EQ(order[999], -1) << "overtaken by no more than 1,000";
}

TEST(ThreadPool, CancelStopsATaskThatTakesAStopToken) {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<bool> future = pool.submit([&](std::stop_token stop) {
    std::stop_callback open(stop, [&] { gate.open(); });
    gate.pass();
    return stop.stop_requested();
  });
  gate.await(1);
  EXPECT_TRUE(future.running());
  EXPECT_FALSE(future.cancel()) << "it goes on until it looks";
  EXPECT_TRUE(future.result(60s));
}

TEST(ThreadPool, AStopCallbackMayUseTheFuture) {
  Promise<Future<bool>> promise;
  const Future<Future<bool>> own = promise.future();
  std::atomic<int> called = 0;
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<bool> future = pool.submit([&](std::stop_token stop) {
    std::stop_callback use(stop, [&] {
      own.result().add_done_callback([&called] { ++called; });
      gate.open();
    });
    gate.pass();
    return own.result().running();
  });
  promise.set_value(future);
  gate.await(1);
  EXPECT_FALSE(future.cancel());
  EXPECT_TRUE(future.result(60s));
  pool.shutdown();
  EXPECT_EQ(called, 1);
}

TEST(ThreadPool, AThreadThatACallbackKeepsBusyIsNotCountedOn) {
  Gate both;
  Gate busy;
  ThreadPoolExecutor pool({.max_workers = 2});
  std::vector<Future<void>> first;
  for (int i = 0; i < 2; ++i) first.push_back(pool.submit([&] { both.pass(); }));
  both.await(2);
  ASSERT_EQ(pool.thread_count(), 2U);
  both.open();
  wait(first, {ReturnWhen::all_completed, 60s});
  EXPECT_TRUE(pool.drain(60s)) << "both sleep";
  pool.submit([] {}).add_done_callback([&busy] { busy.pass(); });
  busy.await(1);
  EXPECT_EQ(pool.submit([] { return 7; }).result(20s), 7) << "the other one runs it";
  busy.open();
}

// The pool does not know that the thread is held up, so nobody replaces it.
TEST(ThreadPool, AnIdleThreadTakesWhatAnotherOnesTaskHasSubmitted) {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 2});
  const Future<bool> elsewhere = pool.submit([&] {
    const Future<std::thread::id> child = pool.submit([&gate] {
      gate.open();
      return std::this_thread::get_id();
    });
    gate.pass();
    return child.result() != std::this_thread::get_id();
  });
  EXPECT_TRUE(elsewhere.result(60s));
}

TEST(ThreadPool, ManyThreadsSubmitAndCancelAtOnce) {
  std::atomic<long> ran = 0;
  long cancelled = 0;
  constexpr int each = 5000;
  {
    ThreadPoolExecutor pool({.max_workers = 2});
    std::array<long, 4> mine{};
    std::vector<std::thread> threads;
    for (long& count : mine) {
      threads.emplace_back([&pool, &ran, &count] {
        for (int i = 0; i < each; ++i) {
          const Future<void> future = pool.submit([&ran] { ++ran; });
          if (i % 3 == 0 && future.cancel()) ++count;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const long count : mine) cancelled += count;
  }
  EXPECT_EQ(ran + cancelled, 4L * each);
}

}  // namespace
}  // namespace muster
