// The deadlines of TaskOptions, on threads and processes.
#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/executors/process_pool.hpp>
#include <muster/executors/thread_pool.hpp>
#include <muster/executors/timer.hpp>
#include <muster/futures/errors.hpp>
#include <muster/futures/promise.hpp>

#include "support/gate.hpp"

namespace muster::test {
namespace {

using namespace std::chrono_literals;

template <class T>
std::string deadline_message(const Future<T>& future) {
  try {
    future.result();
  } catch (const DeadlineError& error) {
    return error.what();
  }
  return "no DeadlineError";
}

// Until it is asked to stop; never longer than a test may take.
int run_until_stopped(std::stop_token stop) {
  while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);  // bounded poll
  return 1;
}

TEST(Deadlines, ATaskThatWaitsTooLongForAThreadNeverRuns) {
  ThreadPoolExecutor pool({.max_workers = 1});
  Gate gate;
  const Future<void> busy = pool.submit([&] { gate.pass(); });
  gate.await(1);
  std::atomic<int> ran = 0;
  const Future<void> late = pool.submit({.queue_timeout = 1ms}, [&] { ++ran; });
  EXPECT_EQ(deadline_message(late), "the task was not started within its queue_timeout of 1 ms");
  const Future<void> named = pool.submit({.queue_timeout = 1ms, .name = "resize"}, [&] { ++ran; });
  EXPECT_EQ(deadline_message(named),
            "task 'resize' was not started within its queue_timeout of 1 ms");
  gate.open();
  pool.shutdown();
  EXPECT_EQ(ran, 0);
}

TEST(Deadlines, WhatIsInTimeIsLeftAlone) {
  ThreadPoolExecutor pool({.max_workers = 1});
  const TaskOptions options{.queue_timeout = 1h, .run_timeout = 1h, .total_timeout = 1h};
  auto held = std::make_shared<int>(5);
  EXPECT_EQ(pool.submit(options, [held] { return *held; }).result(), 5);
  pool.shutdown();
  EXPECT_EQ(held.use_count(), 1);  // no timer holds the task for an hour
}

TEST(Deadlines, ATaskThatRunsTooLongInAThreadIsAskedToStop) {
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<int> future = pool.submit({.run_timeout = 1ms}, run_until_stopped);
  EXPECT_EQ(deadline_message(future), "the task ran for longer than its run_timeout of 1 ms");
}

TEST(Deadlines, OneThatTakesNoTokenFailsWhenItReturns) {
  ThreadPoolExecutor pool({.max_workers = 1});
  std::atomic<bool> returned = false;
  const Future<int> future = pool.submit({.run_timeout = 1ms}, [&] {
    // Until its time is over: the timer, which sees to that, has one thing done after the other.
    const auto is_over = std::make_shared<Promise<void>>();
    detail::Timer::of_this_process().call_at(Clock::now() + 1ms,
                                             [is_over] { is_over->set_value(); });
    is_over->future().wait();
    returned = true;
    return 1;
  });
  EXPECT_THROW(future.result(), DeadlineError);
  EXPECT_TRUE(returned);
}

TEST(Deadlines, TheTotalTimeCoversTheQueueAndTheRun) {
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<int> runs = pool.submit({.total_timeout = 1ms}, run_until_stopped);
  EXPECT_EQ(deadline_message(runs), "the task was not done within its total_timeout of 1 ms");
  Gate gate;
  const Future<void> busy = pool.submit([&] { gate.pass(); });
  gate.await(1);
  const Future<int> waits = pool.submit({.total_timeout = 1ms}, [] { return 1; });
  EXPECT_EQ(deadline_message(waits), "the task was not done within its total_timeout of 1 ms");
  gate.open();
  busy.wait();
}

TEST(Deadlines, TasksInheritTheTotalTimeOfTheTaskThatSubmitsThem) {
  ThreadPoolExecutor pool({.max_workers = 2});
  ThreadPoolExecutor other({.max_workers = 1});
  Gate gate;
  const Future<void> busy = other.submit([&] { gate.pass(); });
  gate.await(1);
  Future<int> child;
  Future<int> with_more;
  const Future<void> parent = pool.submit({.total_timeout = 2s}, [&] {
    child = other.submit([] { return 1; });
    with_more = other.submit({.total_timeout = 1h}, [] { return 1; });
  });
  parent.wait();
  const std::string inherited =
      "the task was not done by the deadline of the task that submitted it";
  EXPECT_EQ(deadline_message(child), inherited);
  EXPECT_EQ(deadline_message(with_more), inherited);
  EXPECT_EQ(pool.submit([] { return 2; }).result(), 2);  // by the same threads, with no deadline
  gate.open();
  busy.wait();
}

TEST(Deadlines, CancelComesFirst) {
  ThreadPoolExecutor pool({.max_workers = 1});
  Gate gate;
  const Future<void> busy = pool.submit([&] { gate.pass(); });
  gate.await(1);
  auto held = std::make_shared<int>(1);
  Future<int> future = pool.submit({.total_timeout = 1h}, [held] { return *held; });
  EXPECT_TRUE(future.cancel());
  EXPECT_TRUE(future.cancelled());
  gate.open();
  pool.shutdown();
  future = {};  // it is what kept the function
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Deadlines, WhatIsRefusedLeavesNothingBehind) {
  ThreadPoolExecutor pool({.max_workers = 1});
  pool.shutdown();
  auto held = std::make_shared<int>(1);
  EXPECT_THROW(pool.submit({.total_timeout = 1h}, [held] { return *held; }), Error);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Deadlines, ManyRaceWithTheirTasks) {
  ThreadPoolExecutor pool({.max_workers = 2});
  std::atomic<int> ran = 0;
  std::vector<Future<void>> futures;
  for (int i = 0; i < 2000; ++i) {
    const Duration timeout = std::chrono::microseconds(i % 50);
    futures.push_back(pool.submit({.queue_timeout = timeout, .total_timeout = 1h}, [&] { ++ran; }));
  }
  int succeeded = 0;
  for (const Future<void>& each : futures) {
    if (each.exception() == nullptr) ++succeeded;
  }
  pool.shutdown();
  EXPECT_EQ(ran, succeeded);
}

int nap_in_process() {
  for (;;) ::pause();  // it is killed
}

TEST(Deadlines, AProcessPoolKillsWhatIsOverItsTotalTime) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const Future<int> future = pool.submit({.total_timeout = 20ms}, nap_in_process);
  EXPECT_THROW(future.result(), DeadlineError);
  EXPECT_EQ(pool.submit([] { return 3; }).result(), 3);
  pool.shutdown();
}

TEST(Deadlines, ATaskThatWaitsTooLongForAProcessNeverRuns) {
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 1});
  const Future<int> busy = pool.submit(nap_in_process);
  while (!busy.running()) std::this_thread::yield();
  std::vector<Future<int>> late;  // one was sent ahead, the others wait in the queue
  for (int i = 0; i < 4; ++i) late.push_back(pool.submit({.queue_timeout = 1ms}, [] { return 1; }));
  for (const Future<int>& each : late) {
    EXPECT_EQ(deadline_message(each), "the task was not started within its queue_timeout of 1 ms");
  }
  EXPECT_TRUE(busy.cancel());
  EXPECT_EQ(pool.submit([] { return 3; }).result(), 3);
  pool.shutdown();
}

TEST(Deadlines, OfAProcessPoolRaceWithItsTasks) {
  ProcessPoolExecutor pool({.max_workers = 2});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 500; ++i) {
    const Duration timeout = std::chrono::microseconds(100 * (i % 10));
    futures.push_back(pool.submit({.queue_timeout = timeout}, [] { return 1; }));
  }
  for (const Future<int>& each : futures) {
    if (each.exception() != nullptr) {
      EXPECT_THROW(each.result(), DeadlineError);
    }
  }
  EXPECT_EQ(pool.submit([] { return 3; }).result(), 3);
}

// The timer ends tasks at the very moment at which their arguments are read.
TEST(Deadlines, MayComeWhileTheCallIsEncoded) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const std::vector<std::string> large(2000, std::string(100, 'x'));
  int ended = 0;
  int late = 0;
  for (int i = 0; i < 300; ++i) {
    const Future<std::size_t> future = pool.submit(
        {.total_timeout = std::chrono::microseconds(i)},
        [](const std::vector<std::string>& all) { return all.size(); }, large);
    try {
      EXPECT_EQ(future.result(60s), large.size());
      ++ended;
    } catch (const DeadlineError&) {
      ++late;
    }
  }
  EXPECT_EQ(ended + late, 300);
  EXPECT_GT(late, 0);
}

}  // namespace
}  // namespace muster::test
