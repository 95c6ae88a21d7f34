// Back-pressure, limits and stopping: how many items are where.
#include <atomic>
#include <chrono>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support.hpp"

namespace muster {
namespace {

using namespace std::chrono_literals;
using testing::collected;
using testing::endless;
using testing::Gate;
using testing::Inside;
using testing::numbers;

class PipelineFlowTest : public ::testing::Test {
 protected:
  ThreadPoolExecutor pool{{.max_workers = 8}};
};

// Places of the two stages: (2 + 1) + (3 + 2).
constexpr int places = 8;
const StageOptions first_limits{.concurrency = 2, .queue_max = 1};
const StageOptions second_limits{.concurrency = 3, .queue_max = 2};

TEST_F(PipelineFlowTest, TakesExactlyWhatThereIsRoomForBeforeAGate) {
  Gate gate;
  std::atomic<int> taken = 0;
  const auto held = [&](int i) {
    gate.pass();
    return i;
  };
  const auto same = [](int i) { return i; };
  const auto stages =
      pipeline<int>().stage(pool, same, first_limits).stage(pool, held, second_limits);
  auto results = stages.run(endless(taken));
  std::thread opener([&] {
    gate.await(3);
    // The first stage fills up behind the gate, as the consumer waits and takes inputs.
    while (taken < places) std::this_thread::yield();
    const PipelineStats stats = results.stats();
    EXPECT_EQ(stats.stages[1].running, 3U);
    EXPECT_LE(stats.stages[1].waiting, 2U);
    EXPECT_LE(stats.stages[0].waiting, 1U);
    gate.open();
  });
  auto at = results.begin();
  opener.join();
  // One was given: as many as there are places may follow, not one more.
  EXPECT_EQ(*at, 0);
  EXPECT_LE(taken, 1 + places);
}

TEST_F(PipelineFlowTest, SlowConsumerOfAnEndlessInputHoldsItBack) {
  for (const Order order : {Order::input, Order::completion}) {
    std::atomic<int> taken = 0;
    int given = 0;
    int ahead_max = 0;
    const auto same = [](int i) { return i; };
    const auto stages =
        pipeline<int>().stage(pool, same, first_limits).stage(pool, same, second_limits);
    for ([[maybe_unused]] const int each :
         stages.run(testing::Endless(
                        taken, [&](int at) { ahead_max = std::max(ahead_max, at + 1 - given); }),
                    {.order = order})) {
      if (++given == 2000) break;
    }
    EXPECT_LE(ahead_max, places);
    EXPECT_LE(taken, given + places);
    EXPECT_GE(taken, given);
  }
}

// In the order of inputs all wait for the first one, and everything else fills up: exactly.
TEST_F(PipelineFlowTest, OneStuckItemLetsExactlyTheOthersPass) {
  Gate gate;
  std::atomic<int> taken = 0;
  const auto stages = pipeline<int>()
                          .stage(
                              pool, [](int i) { return i; }, first_limits)
                          .stage(
                              pool,
                              [&](int i) {
                                if (i == 0) gate.pass();
                                return i;
                              },
                              second_limits);
  auto results = stages.run(endless(taken));
  std::thread opener([&] {
    while (results.stats().stages[1].out < places - 1) std::this_thread::yield();
    EXPECT_EQ(taken, places);
    EXPECT_EQ(results.stats().stages[0].in, std::uint64_t{places});
    gate.open();
  });
  int at = 0;
  for (const int each : results) {
    EXPECT_EQ(each, at++);
    if (at == 100) break;
  }
  opener.join();
}

TEST_F(PipelineFlowTest, ConcurrencyIsAHardBoundAndIsReached) {
  Gate gate;
  Inside first;
  Inside second;
  const auto counting = [](Inside& inside, auto then) {
    return [&inside, then](int i) {
      inside.enter();
      then();
      inside.leave();
      return i;
    };
  };
  const auto stages =
      pipeline<int>()
          .stage(pool, counting(first, [&] { gate.pass(); }), {.concurrency = 3, .queue_max = 10})
          .stage(pool, counting(second, [] { std::this_thread::yield(); }),
                 {.concurrency = 2, .queue_max = 10});
  auto results = stages.run(numbers(2000));
  gate.await(3);
  EXPECT_EQ(results.stats().stages[0].running, 3U);
  EXPECT_EQ(results.stats().stages[0].in, 3U);
  gate.open();
  EXPECT_EQ(collected(results).size(), 2000U);
  EXPECT_EQ(first.most(), 3);
  EXPECT_LE(second.most(), 2);
}

TEST_F(PipelineFlowTest, DroppingTheResultsCancelsTheRestAndWaitsForWhatRuns) {
  std::atomic<int> taken = 0;
  std::atomic<int> inside = 0;
  std::atomic<int> calls = 0;
  std::uint64_t seen = 0;
  const auto counted = [&](int i) {
    ++inside;
    ++calls;
    std::this_thread::yield();
    --inside;
    return i;
  };
  const auto stages = pipeline<int>()
                          .stage(pool, counted, {.concurrency = 4, .queue_max = 4})
                          .stage(pool, counted, {.concurrency = 4, .queue_max = 4});
  {
    auto results = stages.run(endless(taken), {.order = Order::completion});
    for ([[maybe_unused]] const int each : results) {
      if (++seen == 50) break;
    }
  }
  EXPECT_EQ(inside, 0);
  const int calls_then = calls;
  pool.shutdown();
  EXPECT_EQ(calls, calls_then);
}

TEST_F(PipelineFlowTest, DroppingReachesTheStopTokensOfRunningTasks) {
  const auto until_stopped = [](const std::stop_token& stop, int i) {
    while (!stop.stop_requested()) std::this_thread::yield();
    return i;
  };
  auto results = pipeline<int>().stage(pool, until_stopped, {.concurrency = 2}).run(numbers(10));
  EXPECT_EQ(results.stats().stages[0].in, 2U);
}

TEST_F(PipelineFlowTest, StopRequestEndsTheRun) {
  std::stop_source source;
  std::atomic<int> taken = 0;
  const auto stages = pipeline<int>().stage(pool, [](int i) { return i; }, {.concurrency = 2});
  int given = 0;
  const auto consume = [&] {
    for (const int each : stages.run(endless(taken), {.stop = source.get_token()})) {
      EXPECT_EQ(each, given);
      if (++given == 20) source.request_stop();
    }
  };
  EXPECT_THROW(consume(), CancelledError);
  EXPECT_EQ(given, 20);
  EXPECT_THROW(collected(stages.run(numbers(3), {.stop = source.get_token()})), CancelledError);
}

TEST_F(PipelineFlowTest, StopRequestOfAnotherThreadWakesTheConsumer) {
  std::stop_source source;
  Gate gate;
  const auto stages = pipeline<int>().stage(pool,
                                            [&](const std::stop_token& stop, int i) {
                                              gate.pass();
                                              return stop.stop_requested() ? -1 : i;
                                            },
                                            {.concurrency = 1});
  std::thread stopper([&] {
    gate.await(1);
    source.request_stop();
    gate.open();
  });
  EXPECT_THROW(collected(stages.run(numbers(5), {.stop = source.get_token()})), CancelledError);
  stopper.join();
}

TEST_F(PipelineFlowTest, TimesOutWithEarlierResultsFirst) {
  Gate gate;
  std::atomic<int> calls = 0;
  const auto stages = pipeline<int>().stage(pool,
                                            [&](int i) {
                                              ++calls;
                                              if (i == 2) gate.pass();
                                              return i;
                                            },
                                            {.concurrency = 1, .queue_max = 1});
  std::optional results = stages.run(numbers(100), {.timeout = 100ms});
  int given = 0;
  const auto consume = [&] {
    for (const int each : *results) EXPECT_EQ(each, given++);
  };
  EXPECT_THROW(consume(), TimeoutError);
  EXPECT_EQ(given, 2);
  EXPECT_EQ(results->begin(), results->end());
  gate.open();
  results.reset();
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace muster
