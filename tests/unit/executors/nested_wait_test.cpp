// Tasks of thread pools that wait: for each other, for others, until a time.
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include <muster/executors/thread_pool.hpp>
#include <muster/futures/as_completed.hpp>
#include <muster/futures/promise.hpp>
#include <muster/futures/wait.hpp>

#include "support/gate.hpp"

namespace muster {
namespace {

using namespace std::chrono_literals;
using test::Gate;

TEST(NestedWait, TasksMayWaitForTasks) {
  for (const unsigned workers : {1U, 2U, 3U}) {
    ThreadPoolExecutor pool({.max_workers = workers});
    const std::function<long(int)> fib = [&](int n) -> long {
      if (n < 2) return n;
      const Future<long> other = pool.submit(fib, n - 1);
      return fib(n - 2) + other.result();
    };
    EXPECT_EQ(pool.submit(fib, 15).result(60s), 610) << workers;
  }
}

TEST(NestedWait, TasksMayWaitForManyAndInTheOrderOfCompletion) {
  ThreadPoolExecutor pool({.max_workers = 1});
  const auto square = [](int x) { return x * x; };
  const long sum = pool.submit([&] {
                         std::vector<Future<int>> all;
                         for (int i = 0; i < 10; ++i) all.push_back(pool.submit(square, i));
                         long out = 0;
                         for (const auto& each : as_completed(all, 60s)) out += each.result();
                         std::vector<Future<int>> more;
                         for (int i = 0; i < 10; ++i) more.push_back(pool.submit(square, i));
                         for (const auto& each : wait(more).done) out += each.result();
                         return out;
                       })
                       .result(60s);
  EXPECT_EQ(sum, 570);
}

TEST(NestedWait, AThreadThatWaitsIsReplaced) {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 1});
  std::atomic<bool> ran = false;
  Promise<void> outside;
  const Future<void> awaited = outside.future();
  const Future<void> waits = pool.submit([&] {
    gate.pass();
    awaited.result();
  });
  gate.await(1);
  gate.open();
  const Future<void> other = pool.submit([&] { ran = true; });
  EXPECT_NO_THROW(other.result(60s));
  EXPECT_TRUE(ran);
  outside.set_value();
  EXPECT_NO_THROW(waits.result(60s));
}

TEST(NestedWait, WaitsInACircleAreFound) {
  ThreadPoolExecutor pool({.max_workers = 2});
  std::latch both(2);
  std::array<Future<int>, 2> futures;
  Gate known;
  const auto wait_for = [&](std::size_t other) {
    both.arrive_and_wait();
    known.pass();
    return futures[other].result();
  };
  futures[0] = pool.submit(wait_for, std::size_t{1});
  futures[1] = pool.submit(wait_for, std::size_t{0});
  known.await(2);
  known.open();
  EXPECT_THROW(futures[0].result(60s), DeadlockError);
  EXPECT_THROW(futures[1].result(60s), DeadlockError) << "the error of the other one";
}

// Two tasks that are both known to run before either waits; each is given the future of the other.
template <class Wait>
std::array<Future<int>, 2> waiting_for_each_other(Executor& first, Executor& second,
                                                  Wait wait_for) {
  struct Pair {
    std::latch both{2};
    Gate known;
    std::array<Future<int>, 2> futures;
  };
  const auto pair = std::make_shared<Pair>();
  const auto work = [pair, wait_for](std::size_t self) {
    pair->both.arrive_and_wait();
    pair->known.pass();
    return wait_for(self, pair->futures[1 - self]);
  };
  pair->futures[0] = first.submit(work, std::size_t{0});
  pair->futures[1] = second.submit(work, std::size_t{1});
  pair->known.await(2);
  pair->known.open();
  auto out = pair->futures;
  for (const auto& each : out) each.wait(60s);
  pair->futures = {};  // they hold the pair
  return out;
}

TEST(NestedWait, ACircleThroughTwoPoolsIsFound) {
  ThreadPoolExecutor a({.max_workers = 1});
  ThreadPoolExecutor b({.max_workers = 1});
  const auto result_of = [](std::size_t, const Future<int>& other) { return other.result(); };
  for (const auto& each : waiting_for_each_other(a, b, result_of)) {
    EXPECT_THROW(each.result(60s), DeadlockError);
  }
}

TEST(NestedWait, ACircleThroughAWaitForSeveralIsFound) {
  ThreadPoolExecutor pool({.max_workers = 2});
  Promise<int> done;
  done.set_value(1);
  const auto wait_for_both = [done = done.future()](std::size_t, const Future<int>& other) {
    const std::vector<Future<int>> all = {done, other};
    return static_cast<int>(wait(all).done.size());
  };
  const auto both = waiting_for_each_other(pool, pool, wait_for_both);
  int found = 0;
  for (const auto& each : both) {
    try {
      EXPECT_EQ(each.result(60s), 2) << "of the one that was not refused";
    } catch (const DeadlockError&) {
      ++found;
    }
  }
  EXPECT_EQ(found, 1);
}

TEST(NestedWait, OneThatWaitsForItselfIsTold) {
  ThreadPoolExecutor pool({.max_workers = 1});
  Promise<Future<int>> self;
  const Future<int> waits = pool.submit([known = self.future()] {
    const std::vector<Future<int>> all = {known.result()};
    return static_cast<int>(wait(all).done.size());
  });
  self.set_value(waits);
  EXPECT_THROW(waits.result(60s), DeadlockError);
}

TEST(NestedWait, ACircleThatATimeoutEndsIsNone) {
  ThreadPoolExecutor pool({.max_workers = 2});
  const auto work = [](std::size_t self, const Future<int>& other) {
    return self == 0 ? other.result() : other.wait(20ms) ? -1 : 5;
  };
  for (const auto& each : waiting_for_each_other(pool, pool, work)) {
    EXPECT_EQ(each.result(60s), 5);
  }
}

// In a pool of one thread, a task waits with a timeout for one that it has submitted, and which
// does not end before: were it run by the waiting thread, the timeout would never be noticed.
template <class Wait>
void expect_in_time(Wait wait_with_timeout) {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<bool> in_time = pool.submit([&] {
    const std::vector<Future<int>> others = {pool.submit([&gate] {
      gate.pass();
      return 1;
    })};
    const bool timed_out = wait_with_timeout(others);
    gate.open();
    return timed_out && others[0].result() == 1;
  });
  EXPECT_TRUE(in_time.wait(30s)) << "it has run the other task itself";
  gate.open();
  EXPECT_TRUE(in_time.result(60s));
}

TEST(NestedWait, ATimeoutIsKept) {
  expect_in_time([](const std::vector<Future<int>>& futures) {
    try {
      futures[0].result(10ms);
    } catch (const TimeoutError&) {
      return true;
    }
    return false;
  });
  expect_in_time([](const std::vector<Future<int>>& futures) { return !futures[0].wait(10ms); });
  expect_in_time([](const std::vector<Future<int>>& futures) {
    return wait(futures, {.timeout = 10ms}).not_done.size() == 1;
  });
  expect_in_time([](const std::vector<Future<int>>& futures) {
    try {
      for (const auto& each : as_completed(futures, 10ms)) each.wait();
    } catch (const TimeoutError&) {
      return true;
    }
    return false;
  });
}

TEST(NestedWait, OfAMapKeepsItsTimeout) {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<void> maps = pool.submit([&] {
    const auto pass = [&gate](int n) {
      gate.pass();
      return n;
    };
    auto results = pool.map(pass, std::vector{1, 2}, {.timeout = 10ms});
    EXPECT_THROW(results.begin(), TimeoutError);
  });
  EXPECT_TRUE(maps.wait(30s)) << "it has run the inputs itself";
  gate.open();
  EXPECT_NO_THROW(maps.result(60s));
}

// What a wait for the first of several has no need of stays where it is.
template <class First>
void expect_untouched(ReturnWhen when, First first) {
  std::atomic<bool> ran = false;
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<bool> waits = pool.submit([&] {
    const Future<int> ended = first();
    const Future<int> other = pool.submit([&ran] {
      ran = true;
      return 2;
    });
    const std::vector<Future<int>> all = {other, ended};
    const auto seen = wait(all, {.return_when = when});
    return seen.done.size() == 1 && seen.not_done.size() == 1 && !ran;
  });
  EXPECT_TRUE(waits.result(60s));
}

TEST(NestedWait, TheFirstCompletedIsEnough) {  // 46
  expect_untouched(ReturnWhen::first_completed, [] {
    Promise<int> promise;
    promise.set_value(1);
    return promise.future();
  });
}

TEST(NestedWait, TheFirstExceptionIsEnough) {  // 49
  expect_untouched(ReturnWhen::first_exception, [] {
    Promise<int> promise;
    promise.set_exception(std::runtime_error("one"));
    return promise.future();
  });
}

// Every wait costs a thread then, up to the greatest number of them; after that they run in place.
TEST(NestedWait, DeepRecursionWithTimeoutsEnds) {
  ThreadPoolExecutor pool({.max_workers = 2});
  const std::function<long(int)> fib = [&](int n) -> long {
    if (n < 2) return n;
    const Future<long> other = pool.submit(fib, n - 1);
    return fib(n - 2) + other.result(60s);
  };
  EXPECT_EQ(pool.submit(fib, 19).result(60s), 4181);
}

}  // namespace
}  // namespace muster
