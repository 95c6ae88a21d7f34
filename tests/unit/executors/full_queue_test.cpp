// Bounded queues, and drain().
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/executors/process_pool.hpp>
#include <muster/executors/thread_pool.hpp>

#include "support/gate.hpp"

namespace muster::test {
namespace {

using namespace std::chrono_literals;

TEST(FullQueue, RaiseRefusesTheNextOne) {
  ThreadPoolExecutor pool({.max_workers = 1, .queue_max = 2, .on_full = OnFull::raise});
  Gate gate;
  const Future<void> busy = pool.submit([&] { gate.pass(); });
  gate.await(1);
  const Future<int> first = pool.submit([] { return 1; });
  const Future<int> second = pool.submit([] { return 2; });
  EXPECT_THROW(pool.submit([] { return 3; }), QueueFullError);
  EXPECT_THROW(pool.submit({.priority = 5}, [] { return 3; }), QueueFullError);
  gate.open();
  EXPECT_EQ(first.result() + second.result(), 3);
  EXPECT_TRUE(pool.drain());
  EXPECT_EQ(pool.submit([] { return 4; }).result(), 4);
}

TEST(FullQueue, TheCallerRunsTheNextOne) {
  ThreadPoolExecutor pool({.max_workers = 1, .queue_max = 1, .on_full = OnFull::run_in_caller});
  Gate gate;
  const Future<void> busy = pool.submit([&] { gate.pass(); });
  gate.await(1);
  const Future<std::thread::id> queued = pool.submit([] { return std::this_thread::get_id(); });
  const Future<std::thread::id> here = pool.submit([] { return std::this_thread::get_id(); });
  EXPECT_TRUE(here.done());
  EXPECT_EQ(here.result(), std::this_thread::get_id());
  gate.open();
  EXPECT_NE(queued.result(), std::this_thread::get_id());
}

TEST(FullQueue, BlockWaitsForRoom) {
  ThreadPoolExecutor pool({.max_workers = 1, .queue_max = 1});
  Gate gate;
  std::atomic<int> ran = 0;
  const Future<void> busy = pool.submit([&] { gate.pass(); });
  gate.await(1);
  std::atomic<int> submitted = 0;
  std::vector<std::jthread> submitters;
  for (int i = 0; i < 3; ++i) {
    submitters.emplace_back([&] {
      pool.submit([&] { ++ran; });
      ++submitted;
    });
  }
  while (submitted == 0) std::this_thread::yield();
  EXPECT_EQ(submitted, 1);
  gate.open();
  submitters.clear();
  pool.shutdown();
  EXPECT_EQ(ran, 3);
}

TEST(FullQueue, ShutdownEndsTheWaitForRoom) {
  ThreadPoolExecutor pool({.max_workers = 1, .queue_max = 1});
  Gate gate;
  const Future<void> busy = pool.submit([&] { gate.pass(); });
  gate.await(1);
  const Future<void> queued = pool.submit([] {});
  std::atomic<bool> threw = false;
  std::jthread submitter([&] {
    try {
      pool.submit([] {});
    } catch (const Error&) {
      threw = true;
    }
  });
  pool.shutdown(false);
  submitter.join();
  EXPECT_TRUE(threw);
  gate.open();
  busy.wait();
}

TEST(FullQueue, TasksOfTheTasksThemselvesAreAlwaysTaken) {
  ThreadPoolExecutor pool({.max_workers = 1, .queue_max = 1});
  std::atomic<int> ran = 0;
  pool.submit([&] {
        for (int i = 0; i < 100; ++i) {
          pool.submit({.priority = i % 2}, [&] { ++ran; });
        }
      })
      .result();
  EXPECT_TRUE(pool.drain());
  EXPECT_EQ(ran, 100);
}

TEST(FullQueue, ManyWaitForRoom) {
  ThreadPoolExecutor pool({.max_workers = 2, .queue_max = 3});
  std::atomic<int> ran = 0;
  {
    std::vector<std::jthread> submitters;
    for (int t = 0; t < 4; ++t) {
      submitters.emplace_back([&] {
        for (int i = 0; i < 500; ++i) pool.submit([&] { ++ran; });
      });
    }
  }
  EXPECT_TRUE(pool.drain());
  EXPECT_EQ(ran, 2000);
}

int wait_in_process(std::stop_token stop) {
  while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);  // bounded poll
  return 1;
}

TEST(FullQueue, OfProcessesRaises) {
  ProcessPoolExecutor pool(
      {.max_workers = 1, .prefetch = 0, .queue_max = 1, .on_full = OnFull::raise});
  const Future<int> busy = pool.submit(wait_in_process);
  while (!busy.running()) std::this_thread::yield();
  const Future<int> queued = pool.submit([] { return 1; });
  EXPECT_THROW(pool.submit([] { return 2; }), QueueFullError);
  busy.cancel();
  EXPECT_EQ(queued.result(), 1);
  EXPECT_THROW(ProcessPoolExecutor({.on_full = OnFull::run_in_caller}), Error);
}

// A map sends what the queue has room for, and the rest when its own tasks have left it.
TEST(FullQueue, AMapGoesOnWhenThereIsRoom) {
  ThreadPoolExecutor threads({.max_workers = 2, .queue_max = 3, .on_full = OnFull::raise});
  ProcessPoolExecutor processes({.max_workers = 2, .queue_max = 3, .on_full = OnFull::raise});
  const auto square = [](int n) { return n * n; };
  std::vector<int> inputs(100);
  std::iota(inputs.begin(), inputs.end(), 0);
  for (Executor* each : {static_cast<Executor*>(&threads), static_cast<Executor*>(&processes)}) {
    int expected = 0;
    for (const int result : each->map(square, inputs, {.chunk_size = 1})) {
      EXPECT_EQ(result, expected * expected);
      ++expected;
    }
    EXPECT_EQ(expected, 100);
  }
}

TEST(FullQueue, AMapThatFindsNoRoomAtAllThrows) {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 1, .queue_max = 1, .on_full = OnFull::raise});
  pool.submit([&] { gate.pass(); });
  gate.await(1);
  const Future<int> queued = pool.submit([] { return 1; });
  EXPECT_THROW(static_cast<void>(pool.map([](int n) { return n; }, std::vector{1, 2})),
               QueueFullError);
  gate.open();
  EXPECT_EQ(queued.result(60s), 1);
}

TEST(FullQueue, OfProcessesBlocks) {
  ProcessPoolExecutor pool({.max_workers = 2, .queue_max = 2});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 300; ++i) futures.push_back(pool.submit([](int x) { return x; }, i));
  for (int i = 0; i < 300; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), i);
}

TEST(Drain, WaitsForAllAndLeavesThePoolUsable) {
  ThreadPoolExecutor pool({.max_workers = 2});
  EXPECT_TRUE(pool.drain(Duration::zero()));
  Gate gate;
  std::atomic<int> ran = 0;
  for (int i = 0; i < 10; ++i) {
    pool.submit([&] {
      gate.pass();
      pool.submit([&] { ++ran; });
    });
  }
  gate.await(2);
  EXPECT_FALSE(pool.drain(Duration::zero()));
  EXPECT_FALSE(pool.drain(1ms));
  gate.open();
  EXPECT_TRUE(pool.drain());
  EXPECT_EQ(ran, 10);
  EXPECT_EQ(pool.submit([] { return 1; }).result(), 1);
}

TEST(Drain, IsNotForTheTasksThemselves) {
  ThreadPoolExecutor pool({.max_workers = 1});
  EXPECT_THROW(pool.submit([&] { pool.drain(); }).result(), Error);
}

TEST(Drain, RepeatedAndFromSeveralThreads) {
  ThreadPoolExecutor pool({.max_workers = 3});
  for (int round = 1; round <= 200; ++round) {
    std::atomic<int> ran = 0;
    for (int i = 0; i < 5; ++i) {
      pool.submit([&] {
        pool.submit([&] { ++ran; });
        ++ran;
      });
    }
    std::jthread other([&] { pool.drain(); });
    EXPECT_TRUE(pool.drain());
    ASSERT_EQ(ran, 10);
  }
}

TEST(Drain, OfProcesses) {
  ProcessPoolExecutor pool({.max_workers = 2});
  EXPECT_TRUE(pool.drain(Duration::zero()));
  const Future<int> busy = pool.submit(wait_in_process);
  while (!busy.running()) std::this_thread::yield();
  EXPECT_FALSE(pool.drain(1ms));
  busy.cancel();
  EXPECT_TRUE(pool.drain(60s));
  EXPECT_TRUE(busy.done());
  EXPECT_EQ(pool.submit([] { return 1; }).result(), 1);
}

TEST(BrokenThreads, AFailedInitializerBreaksThePool) {  // 66
  ThreadPoolExecutor pool(
      {.max_workers = 1, .initializer = [] { throw std::runtime_error("no luck"); }});
  testing::internal::CaptureStderr();
  const Future<int> pending = pool.submit([] { return 1; });
  EXPECT_THROW(pending.result(), BrokenExecutor);
  EXPECT_THROW(pool.submit([] { return 2; }), BrokenExecutor);
  pool.shutdown();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("no luck"), std::string::npos);
}

}  // namespace
}  // namespace muster::test
