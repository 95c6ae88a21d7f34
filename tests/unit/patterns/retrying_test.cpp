#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/executors/timer.hpp>
#include <muster/futures/wait.hpp>
#include <muster/patterns/retrying.hpp>

#include "support.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;

// Fails so many times, then gives 42.
auto failing(std::atomic<int>& calls, int failures) {
  return [&calls, failures] {
    if (++calls <= failures) throw std::runtime_error("failure " + std::to_string(calls));
    return 42;
  };
}

bool is_runtime_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::runtime_error& caught) {
    return dynamic_cast<const Error*>(&caught) == nullptr;
  } catch (...) {
    return false;
  }
}

TEST(Retrying, RunsATaskAsOftenAsItFailsAndOnceMore) {
  ThreadPoolExecutor threads({.max_workers = 2});
  RetryingExecutor retrying(threads, {.attempts_max = 3, .delay = 1ms});
  std::atomic<int> calls = 0;
  const Future<int> future = retrying.submit(failing(calls, 2));
  EXPECT_EQ(future.result(), 42);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(RetryingExecutor::attempts(future), 3U);
  const RetryStatistics seen = retrying.statistics();
  EXPECT_EQ(seen.attempts, 3U);
  EXPECT_EQ(seen.retries, 2U);
  EXPECT_EQ(seen.given_up, 0U);
}

TEST(Retrying, ThrowsTheLastErrorAsItIs) {
  ThreadPoolExecutor threads({.max_workers = 2});
  RetryingExecutor retrying(threads, {.attempts_max = 3, .delay = Duration::zero()});
  std::atomic<int> calls = 0;
  const Future<int> future = retrying.submit(failing(calls, 100));
  try {
    future.result();
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "failure 3");
  }
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(RetryingExecutor::attempts(future), 3U);
  EXPECT_EQ(retrying.statistics().given_up, 1U);
}

TEST(Retrying, AsksThePredicate) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.delay = 1ms, .retry_if = is_runtime_error});
  std::atomic<int> calls = 0;
  const Future<void> future = retrying.submit([&] {
    if (++calls == 1) throw std::runtime_error("once more");
    throw std::logic_error("never again");
  });
  EXPECT_THROW(future.result(), std::logic_error);
  EXPECT_EQ(calls, 2);
}

TEST(Retrying, APredicateThatThrowsMeansNo) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.delay = 1ms, .retry_if = [](const auto&) -> bool {
                                        throw std::logic_error("the predicate");
                                      }});
  std::atomic<int> calls = 0;
  ::testing::internal::CaptureStderr();
  const Future<int> future = retrying.submit(failing(calls, 1));
  EXPECT_THROW(future.result(), std::runtime_error);
  EXPECT_EQ(calls, 1);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("the predicate"), std::string::npos);
}

TEST(Retrying, DoesNotRetryCancellation) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.delay = 1ms, .retry_if = [](const auto&) { return true; }});
  std::atomic<int> calls = 0;
  const Future<void> future = retrying.submit([&] {
    ++calls;
    throw CancelledError();
  });
  EXPECT_THROW(future.result(), CancelledError);
  EXPECT_EQ(calls, 1);
}

TEST(Retrying, DoesNotRetryWhatWasAskedToStop) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.delay = 1ms});
  Gate gate;
  std::atomic<int> calls = 0;
  const Future<void> future = retrying.submit([&](std::stop_token stop) {
    ++calls;
    gate.pass();
    if (stop.stop_requested()) throw std::runtime_error("stopped");
  });
  gate.await(1);
  EXPECT_FALSE(future.cancel());
  gate.open();
  EXPECT_THROW(future.result(), std::runtime_error);
  EXPECT_EQ(calls, 1);
}

// Returns when the task has failed once and waits for its next attempt.
void await_retry(const RetryingExecutor& retrying, const Future<int>& future) {
  while (retrying.statistics().retries == 0 || future.state() != FutureState::pending) {
    std::this_thread::yield();
  }
}

TEST(Retrying, CancelWorksAtOnceDuringTheDelay) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.delay = 10h, .delay_max = 10h});
  std::atomic<int> calls = 0;
  const Future<int> future = retrying.submit(failing(calls, 1));
  await_retry(retrying, future);
  EXPECT_TRUE(future.cancel());
  EXPECT_THROW(future.result(), CancelledError);
  EXPECT_EQ(calls, 1);
  retrying.shutdown();  // does not wait for ten hours
}

TEST(Retrying, NoThreadIsOccupiedDuringTheDelay) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.delay = 10h, .delay_max = 10h});
  std::atomic<int> calls = 0;
  const Future<int> future = retrying.submit(failing(calls, 1));
  await_retry(retrying, future);
  EXPECT_EQ(threads.submit([] { return 1; }).result(), 1);
  EXPECT_TRUE(threads.drain(10s));
  EXPECT_FALSE(retrying.drain(Duration::zero()));
  EXPECT_TRUE(future.cancel());
  EXPECT_TRUE(retrying.drain(10s));
}

TEST(Retrying, RefusesWhatCannotBeCopied) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads);
  const auto take = [](std::unique_ptr<int> given) { return *given; };
  try {
    retrying.submit(take, std::make_unique<int>(1));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
  }
  RetryingExecutor once(threads, {.attempts_max = 1});
  EXPECT_EQ(once.submit(take, std::make_unique<int>(1)).result(), 1);
}

TEST(Retrying, EveryAttemptGetsTheArgumentsAsTheyWere) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.attempts_max = 4, .delay = 1ms});
  std::vector<std::string> seen;
  const Future<void> future = retrying.submit(
      [&](std::string given) {
        seen.push_back(std::move(given));
        if (seen.size() < 4) throw std::runtime_error("again");
      },
      std::string("a text that is too long for a string's own memory"));
  future.result();
  EXPECT_EQ(seen, std::vector<std::string>(4, "a text that is too long for a string's own memory"));
}

TEST(Retrying, ArgumentsAreFreedBeforeTheFutureIsDone) {  // 19
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.delay = 1ms});
  auto held = std::make_shared<std::atomic<int>>(0);
  const Future<void> future = retrying.submit(
      [](const std::shared_ptr<std::atomic<int>>& calls) {
        if (++*calls == 1) throw std::runtime_error("again");
      },
      held);
  future.result();
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Retrying, ShutdownRunsWhatWaitsForItsNextAttempt) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.delay = 1ms});
  std::atomic<int> calls = 0;
  const Future<int> future = retrying.submit(failing(calls, 2));
  retrying.shutdown();
  EXPECT_TRUE(future.done());
  EXPECT_EQ(calls, 3);
  EXPECT_THROW(retrying.submit([] {}), Error);
  EXPECT_EQ(threads.submit([] { return 1; }).result(), 1);  // the inner one lives on
}

TEST(Retrying, ShutdownCancelsWhatWaitsForItsNextAttempt) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.delay = 10h, .delay_max = 10h});
  std::atomic<int> calls = 0;
  const Future<int> future = retrying.submit(failing(calls, 2));
  await_retry(retrying, future);
  retrying.shutdown(true, true);
  EXPECT_TRUE(future.cancelled());
  EXPECT_EQ(calls, 1);
}

TEST(Retrying, AnInnerExecutorThatIsClosedMakesTheErrorFinal) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor retrying(threads, {.delay = 1ms});
  Gate gate;
  std::atomic<int> calls = 0;
  const Future<void> future = retrying.submit([&] {
    ++calls;
    gate.pass();
    throw std::runtime_error("the task's own");
  });
  gate.await(1);
  threads.shutdown(false);
  gate.open();
  EXPECT_THROW(future.result(), std::runtime_error);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(retrying.drain(10s));
}

TEST(Retrying, WatchesOfInnerDecoratorsCountEachAttemptOfTheirOwn) {
  ThreadPoolExecutor threads({.max_workers = 1});
  RetryingExecutor inner(threads, {.attempts_max = 2, .delay = 1ms});
  RetryingExecutor outer(inner, {.attempts_max = 3, .delay = 1ms});
  std::atomic<int> calls = 0;
  EXPECT_THROW(outer.submit(failing(calls, 100)).result(), std::runtime_error);
  EXPECT_EQ(calls, 6);
  EXPECT_EQ(inner.statistics().given_up, 3U);
  EXPECT_EQ(outer.statistics().retries, 2U);
}

TEST(Retrying, ManyTasksFromManyThreads) {
  ThreadPoolExecutor threads({.max_workers = 4});
  RetryingExecutor retrying(threads, {.delay = Duration::zero()});
  constexpr int tasks = 500;
  std::vector<std::atomic<int>> calls(tasks);
  std::vector<Future<int>> futures;
  for (std::atomic<int>& each : calls) futures.push_back(retrying.submit(failing(each, 2)));
  for (const Future<int>& each : futures) EXPECT_EQ(each.result(), 42);
  for (const std::atomic<int>& each : calls) EXPECT_EQ(each, 3);
}

int fail_in_process(int failures_left) {
  if (failures_left == 0) return 7;
  throw std::runtime_error("in the process");
}

int run_until_stopped(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });  // the test's own time limit is the bound
  return 0;
}

// Says yes, and counts how often it was asked.
RetryOptions always(std::atomic<int>& asked) {
  return {.delay = Duration::zero(), .retry_if = [&asked](const std::exception_ptr&) {
            ++asked;
            return true;
          }};
}

TEST(Retrying, AnEndedDeadlineIsFinalWhateverRetryIfSays) {
  ThreadPoolExecutor threads({.max_workers = 1});
  ProcessPoolExecutor processes({.max_workers = 1});
  for (Executor* inner : {static_cast<Executor*>(&threads), static_cast<Executor*>(&processes)}) {
    std::atomic<int> asked = 0;
    RetryingExecutor retrying(*inner, always(asked));
    const Future<int> busy = inner->submit(run_until_stopped);
    while (!busy.running()) std::this_thread::yield();
    const Future<int> waits = retrying.submit({.queue_timeout = 1ms}, fail_in_process, 1);
    EXPECT_THROW(waits.result(), DeadlineError);
    EXPECT_EQ(RetryingExecutor::attempts(waits), 1U);
    busy.cancel();
    busy.wait();
    const Future<int> runs = retrying.submit({.total_timeout = 20ms}, run_until_stopped);
    EXPECT_THROW(runs.result(), DeadlineError);
    EXPECT_EQ(RetryingExecutor::attempts(runs), 1U);
    EXPECT_EQ(asked, 0);
  }
}

TEST(Retrying, ADeadlineThatAThreadFindsOverIsFinalToo) {
  const auto timer_gate = std::make_shared<Gate>();  // the timer is late
  detail::Timer::of_this_process().call_at(Clock::now(), [timer_gate] { timer_gate->pass(); });
  timer_gate->await(1);
  ThreadPoolExecutor threads({.max_workers = 1});
  std::atomic<int> asked = 0;
  RetryingExecutor retrying(threads, always(asked));
  Gate gate;
  const Future<void> busy = threads.submit([&] { gate.pass(); });
  gate.await(1);
  const Future<int> late = retrying.submit({.queue_timeout = 1ns}, fail_in_process, 1);
  gate.open();
  EXPECT_THROW(late.result(), DeadlineError);
  EXPECT_EQ(RetryingExecutor::attempts(late), 1U);
  EXPECT_EQ(asked, 0);
  timer_gate->open();
  busy.wait();
}

TEST(Retrying, CancelRacesWithEverything) {
  ThreadPoolExecutor threads({.max_workers = 2});
  RetryingExecutor retrying(threads, {.attempts_max = 1'000'000, .delay = Duration::zero()});
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> calls = 0;
    const Future<int> future = retrying.submit(failing(calls, 1'000'000));
    while (calls < round % 5) std::this_thread::yield();
    while (!future.cancel()) std::this_thread::yield();  // false while it runs
    EXPECT_THROW(future.result(), CancelledError);
  }
  EXPECT_TRUE(retrying.drain(60s));
}

TEST(Retrying, AMapOverAFullQueueRunsEveryInputOnce) {
  ThreadPoolExecutor threads({.max_workers = 1, .queue_max = 1, .on_full = OnFull::raise});
  RetryingExecutor retrying(threads);
  int expected = 0;
  std::vector<int> inputs(100);
  for (int& each : inputs) each = expected++;
  expected = 0;
  for (const int result : retrying.map([](int n) { return n; }, inputs, {.chunk_size = 1})) {
    EXPECT_EQ(result, expected++);
  }
  EXPECT_EQ(expected, 100);
  EXPECT_TRUE(retrying.drain(60s));
  EXPECT_EQ(retrying.statistics().attempts, 100U);
}

TEST(Retrying, WorksOverProcesses) {
  ProcessPoolExecutor processes({.max_workers = 1});
  RetryingExecutor retrying(processes, {.attempts_max = 3, .delay = 1ms});
  const Future<int> bad = retrying.submit(fail_in_process, 1);
  EXPECT_THROW(bad.result(), std::runtime_error);
  EXPECT_EQ(RetryingExecutor::attempts(bad), 3U);
  EXPECT_EQ(retrying.submit(fail_in_process, 0).result(), 7);
  EXPECT_EQ(retrying.statistics().attempts, 4U);
}

TEST(Retrying, CancelRacesWithEverythingOverProcesses) {
  ProcessPoolExecutor processes({.max_workers = 1});
  RetryingExecutor retrying(processes, {.attempts_max = 1'000'000, .delay = Duration::zero()});
  for (unsigned round = 0; round < 50; ++round) {
    const Future<int> future = retrying.submit(fail_in_process, 1);
    while (retrying.statistics().retries < round) std::this_thread::yield();
    while (!future.cancel()) std::this_thread::yield();
    EXPECT_TRUE(future.cancelled());
  }
  EXPECT_TRUE(retrying.drain(60s));
  EXPECT_TRUE(processes.drain(60s));
}

TEST(RetryDelay, GrowsUpToItsLimit) {
  const RetryOptions options{.delay = 10ms, .backoff = 2.0, .delay_max = 50ms, .jitter = 0};
  EXPECT_EQ(retry_delay(options, 1, 0), 10ms);
  EXPECT_EQ(retry_delay(options, 2, 0), 20ms);
  EXPECT_EQ(retry_delay(options, 3, 0), 40ms);
  EXPECT_EQ(retry_delay(options, 4, 0), 50ms);
  EXPECT_EQ(retry_delay(options, 10'000, 0), 50ms);
}

TEST(RetryDelay, StaysZeroHoweverOftenItIsDoubled) {
  const RetryOptions options{.delay = Duration::zero(), .backoff = 2.0};
  EXPECT_EQ(retry_delay(options, 1, 0.5), Duration::zero());
  EXPECT_EQ(retry_delay(options, 10'000, 0.5), Duration::zero());
}

TEST(RetryDelay, TheJitterIsAShareEitherWay) {
  const RetryOptions options{.delay = 100ms, .jitter = 0.5};
  EXPECT_EQ(retry_delay(options, 1, 0), 50ms);
  EXPECT_EQ(retry_delay(options, 1, 0.5), 100ms);
  EXPECT_EQ(retry_delay(options, 1, 0.75), 125ms);
}

TEST(RetryOptionsCheck, RefusesWhatMakesNoSense) {
  ThreadPoolExecutor threads({.max_workers = 1});
  EXPECT_THROW(RetryingExecutor(threads, {.attempts_max = 0}), Error);
  EXPECT_THROW(RetryingExecutor(threads, {.delay = -1ms}), Error);
  EXPECT_THROW(RetryingExecutor(threads, {.backoff = 0.5}), Error);
  EXPECT_THROW(RetryingExecutor(threads, {.jitter = 1.5}), Error);
}

}  // namespace
}  // namespace muster::testing
