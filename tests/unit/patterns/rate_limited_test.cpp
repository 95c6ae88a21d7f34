#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/futures/wait.hpp>
#include <muster/patterns/rate_limited.hpp>
#include <muster/patterns/retrying.hpp>

#include "support.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;

// So slow that no second token comes while a test runs.
constexpr double once_a_day = 1.0 / (24 * 3600);

TEST(RateLimited, ABurstPassesAtOnceAndTheRestWaits) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RateLimitedExecutor limited(threads, {.per_second = once_a_day, .burst = 2});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 5; ++i) futures.push_back(limited.submit([i] { return i; }));
  EXPECT_EQ(futures[0].result(), 0);
  EXPECT_EQ(futures[1].result(), 1);
  EXPECT_EQ(limited.waiting_count(), 3U);
  for (int i = 2; i < 5; ++i)
    EXPECT_EQ(futures[static_cast<std::size_t>(i)].state(), FutureState::pending);
  EXPECT_TRUE(threads.drain(10s));
  EXPECT_FALSE(limited.drain(Duration::zero()));
  limited.shutdown(true, true);
  for (std::size_t i = 2; i < 5; ++i) EXPECT_TRUE(futures[i].cancelled());
  EXPECT_THROW(limited.submit([] {}), Error);
  EXPECT_EQ(threads.submit([] { return 1; }).result(), 1);  // the inner one lives on
}

TEST(RateLimited, TasksPassInOrderAsTokensCome) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RateLimitedExecutor limited(threads, {.per_second = 2000, .burst = 3});
  std::vector<int> seen;  // by the one thread
  for (int i = 0; i < 50; ++i) limited.submit([&seen, i] { seen.push_back(i); });
  limited.shutdown();  // runs them all
  EXPECT_EQ(seen, numbers(50));
  EXPECT_EQ(limited.waiting_count(), 0U);
}

TEST(RateLimited, TakesNoLessTimeThanTheTokensNeed) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RateLimitedExecutor limited(threads, {.per_second = 100, .burst = 2});
  const TimePoint start = Clock::now();
  for (int i = 0; i < 6; ++i) limited.submit([] {});
  limited.shutdown();
  EXPECT_GE(Clock::now() - start, 40ms);  // two at once, four of 10 ms each
}

TEST(RateLimited, EachKeyHasTokensOfItsOwn) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RateLimitedExecutor limited(threads, {.per_second = once_a_day, .burst = 1});
  EXPECT_EQ(limited.submit([] { return 0; }).result(), 0);
  EXPECT_EQ(limited.submit_for("a", [] { return 1; }).result(), 1);
  EXPECT_EQ(limited
                .submit_for(
                    "b", TaskOptions{.priority = 1}, [](int x) { return x; }, 2)
                .result(),
            2);
  const Future<int> late = limited.submit_for("a", [] { return 3; });
  EXPECT_EQ(late.state(), FutureState::pending);
  EXPECT_EQ(limited.waiting_count(), 1U);
  EXPECT_EQ(limited.key_count(), 2U);
  EXPECT_TRUE(late.cancel());
  EXPECT_EQ(limited.waiting_count(), 0U);
}

TEST(RateLimited, CancelWorksAtOnceAndKeepsTheOrderOfTheOthers) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RateLimitedExecutor limited(threads, {.per_second = 200, .burst = 1});
  std::vector<int> seen;
  std::vector<Future<void>> futures;
  for (int i = 0; i < 6; ++i) {
    futures.push_back(limited.submit([&seen, i] { seen.push_back(i); }));
  }
  const bool last = futures[5].cancel();
  const bool before = futures[4].cancel();
  limited.shutdown();
  std::vector<int> expected = numbers(4);
  if (!before) expected.push_back(4);
  if (!last) expected.push_back(5);
  EXPECT_EQ(seen, expected);
}

// The timer hands tasks on while they are stopped: they are with the decorator, with nobody, or
// with the pool, whose only thread is busy.
TEST(RateLimited, RacyStopReachesWhatIsBeingLetOut) {
  std::atomic<int> runs{0};
  std::atomic<bool> open{false};
  ThreadPoolExecutor threads({.max_workers = 1});
  const Future<void> busy = threads.submit([&] { open.wait(false); });
  std::vector<std::unique_ptr<RateLimitedExecutor>> decorators;  // which wait for what was missed
  int missed = 0;
  for (int round = 0; round < 100; ++round) {
    const RateLimitOptions options{.per_second = 1e5, .burst = 1};
    decorators.push_back(std::make_unique<RateLimitedExecutor>(threads, options));
    std::vector<Future<int>> futures;
    for (int i = 0; i < 30; ++i) {
      futures.push_back(decorators.back()->submit([&] { return ++runs; }));
    }
    for (const Future<int>& each : futures) {
      if (each.stop({.highest = CancelRung::recalled}) == CancelRung::none) ++missed;
    }
  }
  open = true;
  open.notify_all();
  threads.shutdown();
  EXPECT_EQ(missed, 0);
  EXPECT_EQ(runs, 0);
}

TEST(RateLimited, IdleKeysAreForgotten) {
  InlineExecutor here;
  RateLimitedExecutor limited(here, {.per_second = 1e9, .burst = 1, .keys_max = 100});
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_EQ(limited.submit_for("key " + std::to_string(i), [i] { return i; }).result(), i);
  }
  EXPECT_LE(limited.key_count(), 100U);
}

TEST(RateLimited, KeysInUseAreNotForgotten) {
  InlineExecutor here;
  RateLimitedExecutor limited(here, {.per_second = once_a_day, .burst = 1, .keys_max = 2});
  limited.submit_for("a", [] {}).result();
  limited.submit_for("b", [] {}).result();
  try {
    limited.submit_for("c", [] {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit);
  }
  EXPECT_TRUE(limited.drain(10s));  // what was refused is not waited for
}

TEST(RateLimited, WhatTheInnerExecutorThrowsIsThrownOrKept) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RateLimitedExecutor limited(threads, {.per_second = 100, .burst = 1});
  threads.shutdown();
  EXPECT_THROW(limited.submit([] {}), Error);  // its turn is now
  const Future<void> later = limited.submit([] {});
  EXPECT_THROW(later.result(), Error);
  EXPECT_TRUE(limited.drain(10s));
}

TEST(RateLimited, OverRetryingOnlyTasksTakeTokens) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.attempts_max = 3, .delay = Duration::zero()});
  RateLimitedExecutor limited(retrying, {.per_second = once_a_day, .burst = 1});
  std::atomic<int> calls = 0;
  const Future<int> future = limited.submit([&] {
    if (++calls < 3) throw std::runtime_error("again");
    return 1;
  });
  EXPECT_EQ(future.result(), 1);
  EXPECT_EQ(calls, 3);
}

TEST(RateLimited, UnderRetryingEveryAttemptTakesOne) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RateLimitedExecutor limited(threads, {.per_second = once_a_day, .burst = 2});
  RetryingExecutor retrying(limited, {.attempts_max = 3, .delay = Duration::zero()});
  std::atomic<int> calls = 0;
  const Future<void> future = retrying.submit([&] {
    ++calls;
    throw std::runtime_error("again");
  });
  while (limited.waiting_count() == 0) std::this_thread::yield();
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(future.cancel());
}

TEST(RateLimited, WorksOverProcesses) {
  ProcessPoolExecutor processes({.max_workers = 1});
  RateLimitedExecutor limited(processes, {.per_second = 500, .burst = 1});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 10; ++i) futures.push_back(limited.submit([](int x) { return 2 * x; }, i));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), 2 * i);
}

TEST(RateLimited, ManyThreadsManyKeysNoTaskIsLost) {
  ThreadPoolExecutor threads({.max_workers = 2});
  RateLimitedExecutor limited(threads, {.per_second = 50'000, .burst = 5});
  std::atomic<int> ran = 0;
  std::atomic<int> cancelled = 0;
  {
    std::vector<std::jthread> submitters;
    for (int t = 0; t < 4; ++t) {
      submitters.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i) {
          const auto future = limited.submit_for(std::to_string((i + t) % 3), [&] { ++ran; });
          if (i % 7 == 0 && future.cancel()) ++cancelled;
        }
      });
    }
  }
  limited.shutdown();
  EXPECT_EQ(ran + cancelled, 2000);
}

TEST(RateLimitOptionsCheck, RefusesWhatMakesNoSense) {
  InlineExecutor here;
  EXPECT_THROW(RateLimitedExecutor(here, {}), Error);
  EXPECT_THROW(RateLimitedExecutor(here, {.per_second = -1}), Error);
  EXPECT_THROW(RateLimitedExecutor(here, {.per_second = 1, .burst = 0}), Error);
  EXPECT_THROW(RateLimitedExecutor(here, {.per_second = 1, .burst = 1, .keys_max = 0}), Error);
}

}  // namespace
}  // namespace muster::testing
