#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support.hpp"

namespace muster {
namespace {

using testing::collected;
using testing::endless;
using testing::Gate;
using testing::numbers;

class PipelineErrors : public ::testing::Test {
 protected:
  ThreadPoolExecutor pool{{.max_workers = 4}};

  static int fails_at_seven(int i) {
    if (i % 10 == 7) throw std::invalid_argument(std::to_string(i));
    return i;
  }
  static int same(int i) { return i; }
};

TEST_F(PipelineErrors, IsThrownAtItsPlaceInTheOrderOfInputs) {
  for (const int failing_stage : {0, 1, 2}) {
    std::atomic<int> taken = 0;
    const auto at = [&](int stage) { return stage == failing_stage ? fails_at_seven : same; };
    const auto stages = pipeline<int>().stage(pool, at(0)).stage(pool, at(1)).stage(pool, at(2));
    auto results = stages.run(endless(taken));
    std::vector<int> seen;
    try {
      for (const int each : results) seen.push_back(each);
      FAIL();
    } catch (const std::invalid_argument& error) {
      EXPECT_STREQ(error.what(), "7");
    }
    EXPECT_EQ(seen, numbers(7));
    EXPECT_GE(results.stats().stages[static_cast<std::size_t>(failing_stage)].failed, 1U);
    for (const StageStats& each : results.stats().stages) {
      EXPECT_EQ(each.running + each.waiting, 0U);  // nothing is left behind
      EXPECT_EQ(each.in, each.out + each.failed + each.dropped);
    }
    EXPECT_EQ(results.begin(), results.end());
  }
}

// Those before the failed one still get through, though it failed long before them.
TEST_F(PipelineErrors, LetsEarlierItemsThroughFirst) {
  Gate gate;
  std::atomic<int> after = 0;
  const auto stages = pipeline<int>()
                          .stage(pool,
                                 [&](int i) {
                                   if (i < 2) gate.pass();
                                   if (i == 2) throw std::runtime_error("two");
                                   return i;
                                 },
                                 {.concurrency = 3, .queue_max = 1})
                          .stage(pool, [&](int i) {
                            if (i > 2) ++after;
                            return i;
                          });
  auto results = stages.run(numbers(1000));
  while (results.stats().stages[0].failed == 0) std::this_thread::yield();
  gate.open();
  std::vector<int> seen;
  const auto consume = [&] {
    for (const int each : results) seen.push_back(each);
  };
  EXPECT_THROW(consume(), std::runtime_error);
  EXPECT_EQ(seen, numbers(2));
  EXPECT_EQ(after, 0);
}

TEST_F(PipelineErrors, EndsARunInTheOrderOfCompletion) {
  std::atomic<int> taken = 0;
  auto results = pipeline<int>()
                     .stage(pool, same)
                     .stage(pool, fails_at_seven)
                     .run(endless(taken), {.order = Order::completion});
  const auto consume = [&] {
    for (const int each : results) EXPECT_NE(each % 10, 7);
  };
  EXPECT_THROW(consume(), std::invalid_argument);
  EXPECT_EQ(results.stats().stages[0].running + results.stats().stages[1].running, 0U);
}

TEST_F(PipelineErrors, DeadLettersSayWhatFailedWhereAndTheOutputGoesOn) {
  for (const Order order : {Order::input, Order::completion}) {
    std::vector<std::size_t> positions;
    const auto stages = pipeline<int>()
                            .stage(pool, same)
                            .stage(pool, fails_at_seven, {.name = "picky"})
                            .stage(pool, same);
    auto results =
        stages.run(numbers(1000), {.order = order, .dead_letter = [&](const DeadLetter& letter) {
                                     positions.push_back(letter.position);
                                     EXPECT_EQ(letter.stage, 1U);
                                     EXPECT_EQ(letter.stage_name, "picky");
                                     try {
                                       std::rethrow_exception(letter.error);
                                     } catch (const std::invalid_argument& error) {
                                       EXPECT_EQ(error.what(), std::to_string(letter.position));
                                     }
                                   }});
    auto seen = collected(results);
    EXPECT_EQ(seen.size(), 900U);
    EXPECT_EQ(positions.size(), 100U);
    if (order == Order::input) {
      EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
      EXPECT_TRUE(std::is_sorted(positions.begin(), positions.end()));
    }
    const auto stats = results.stats().stages;
    EXPECT_EQ(stats[0].name, "stage 0");
    EXPECT_EQ(stats[1].in, 1000U);
    EXPECT_EQ(stats[1].out, 900U);
    EXPECT_EQ(stats[1].failed, 100U);
    EXPECT_EQ(stats[2].in, 900U);
  }
}

TEST_F(PipelineErrors, ThrowingDeadLetterHandlerEndsTheRun) {
  std::atomic<int> taken = 0;
  auto results = pipeline<int>()
                     .stage(pool, fails_at_seven)
                     .run(endless(taken), {.dead_letter = [](const DeadLetter& letter) {
                            if (letter.position == 17) throw std::length_error("too many");
                          }});
  std::vector<int> seen;
  const auto consume = [&] {
    for (const int each : results) seen.push_back(each);
  };
  EXPECT_THROW(consume(), std::length_error);
  EXPECT_EQ(seen.size(), 16U);
}

TEST_F(PipelineErrors, OfTheInputComeAtTheirPlace) {
  std::atomic<int> taken = 0;
  auto results = pipeline<int>()
                     .stage(pool, same)
                     .run(testing::Endless(taken,
                                           [](int at) {
                                             if (at == 25) throw std::underflow_error("input");
                                           }),
                          {.dead_letter = [](const DeadLetter& /*letter*/) { FAIL(); }});
  std::vector<int> seen;
  const auto consume = [&] {
    for (const int each : results) seen.push_back(each);
  };
  EXPECT_THROW(consume(), std::underflow_error);
  EXPECT_EQ(seen, numbers(25));
}

TEST_F(PipelineErrors, ExecutorThatIsShutDownMidWayIsNamed) {
  for (const bool dead_letters : {false, true}) {
    ThreadPoolExecutor closing{{.max_workers = 2}};
    std::atomic<int> taken = 0;
    PipelineRunOptions options;
    if (dead_letters) options.dead_letter = [](const DeadLetter& /*letter*/) {};
    const auto stages = pipeline<int>().stage(pool, same).stage(closing, same, {.name = "parse"});
    int given = 0;
    try {
      for (const int each : stages.run(endless(taken), options)) {
        EXPECT_EQ(each, given);
        if (++given == 100) closing.shutdown();
      }
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::broken);
      EXPECT_EQ(std::string(error.what()),
                "pipeline: the executor of stage 1, 'parse' takes no task: a task was submitted to "
                "a thread pool after its shutdown");
      EXPECT_THROW(std::rethrow_if_nested(error), Error);
    }
    EXPECT_GE(given, 100);
  }
}

TEST_F(PipelineErrors, TasksThatTheExecutorCancelsFail) {
  ThreadPoolExecutor closing{{.max_workers = 1}};
  Gate gate;
  const auto held = [&](int i) {
    gate.pass();
    return i;
  };
  auto results = pipeline<int>().stage(closing, held, {.concurrency = 3}).run(numbers(3));
  gate.await(1);
  closing.shutdown(false, true);
  gate.open();
  std::vector<int> seen;
  const auto consume = [&] {
    for (const int each : results) seen.push_back(each);
  };
  EXPECT_THROW(consume(), CancelledError);
  EXPECT_EQ(seen, numbers(1));
}

}  // namespace
}  // namespace muster
