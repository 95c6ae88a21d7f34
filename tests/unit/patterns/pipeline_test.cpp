#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
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
using testing::numbers;

int twice(int x) { return 2 * x; }
int plus_ten(int x) { return x + 10; }
int squared(int x) { return x * x; }

class PipelineTest : public ::testing::Test {
 protected:
  ThreadPoolExecutor pool{{.max_workers = 2}};
};

TEST_F(PipelineTest, PythonGuidesPatternOne) {
  const auto three = pipeline<int>().stage(pool, twice).stage(pool, plus_ten).stage(pool, squared);
  EXPECT_EQ(collected(three.run(std::vector{1, 2, 3, 4, 5})),
            (std::vector{144, 196, 256, 324, 400}));
  const auto any_order =
      collected(three.run(std::vector{1, 2, 3, 4, 5}, {.order = Order::completion}));
  EXPECT_EQ(std::multiset<int>(any_order.begin(), any_order.end()),
            (std::multiset{144, 196, 256, 324, 400}));
}

TEST_F(PipelineTest, TypesChangeFromStageToStage) {
  const auto texts = pipeline<int>()
                         .stage(pool, [](int i) { return std::string(std::size_t(i), 'x'); })
                         .stage(pool, [](const std::string& text) { return text + "!"; });
  EXPECT_EQ(collected(texts.run(std::vector{1, 2, 3})),
            (std::vector<std::string>{"x!", "xx!", "xxx!"}));
}

TEST_F(PipelineTest, MovesInputsAndResults) {
  std::vector<std::unique_ptr<int>> inputs;
  for (int i = 0; i < 50; ++i) inputs.push_back(std::make_unique<int>(i));
  const auto boxes = pipeline<std::unique_ptr<int>>()
                         .stage(pool,
                                [](std::unique_ptr<int> box) {
                                  ++*box;
                                  return box;
                                })
                         .stage(pool, [](std::unique_ptr<int>&& box) { return std::move(box); });
  int expected = 0;
  for (auto& box : boxes.run(std::move(inputs))) EXPECT_EQ(*box, ++expected);
  EXPECT_EQ(expected, 50);
}

TEST_F(PipelineTest, LastStageMayReturnNothing) {
  std::atomic<int> sum = 0;
  const auto sink = pipeline<int>().stage(pool, twice).stage(pool, [&](int x) { sum += x; });
  EXPECT_EQ(collected(sink.run(numbers(10))).size(), 10U);
  EXPECT_EQ(sum, 90);
  sink.submit(5).result();
  EXPECT_EQ(sum, 100);
}

TEST_F(PipelineTest, GivesNothingForNothing) {
  EXPECT_TRUE(collected(pipeline<int>().stage(pool, twice).run(std::vector<int>())).empty());
}

TEST_F(PipelineTest, OrderOfCompletionGivesWhatIsThere) {
  Gate gate;
  const auto held = pipeline<int>().stage(pool,
                                          [&](int i) {
                                            if (i == 0) gate.pass();
                                            return i;
                                          },
                                          {.concurrency = 2});
  auto results = held.run(numbers(4), {.order = Order::completion});
  std::vector<int> seen;
  for (const int each : results) {
    seen.push_back(each);
    if (seen.size() == 3) gate.open();
  }
  EXPECT_EQ(seen, (std::vector{1, 2, 3, 0}));
}

TEST_F(PipelineTest, CanBeRunAndExtendedMoreThanOnce) {
  const auto one = pipeline<int>().stage(pool, twice);
  const auto two = one.stage(pool, plus_ten);
  auto first = one.run(numbers(3));
  auto second = two.run(numbers(3));
  EXPECT_EQ(collected(second), (std::vector{10, 12, 14}));
  EXPECT_EQ(collected(first), (std::vector{0, 2, 4}));
}

TEST_F(PipelineTest, RunOutlivesThePipeline) {
  auto results = pipeline<int>().stage(pool, twice).stage(pool, plus_ten).run(numbers(100));
  int count = 0;
  for (const int each : results) EXPECT_EQ(each, 2 * count++ + 10);
  EXPECT_EQ(count, 100);
}

TEST_F(PipelineTest, WorksOnOneWorkerForAllAndItsConsumer) {
  ThreadPoolExecutor one{{.max_workers = 1}};
  const auto all = pipeline<int>()
                       .stage(one, twice, {.concurrency = 3, .queue_max = 1})
                       .stage(one, plus_ten, {.concurrency = 1, .queue_max = 1})
                       .stage(one, squared, {.concurrency = 2, .queue_max = 5});
  // Consumed in a task of the same pool, which has no other thread.
  const auto sum = one.submit([&] {
    long out = 0;
    for (const int each : all.run(numbers(500))) out += each;
    return out;
  });
  long expected = 0;
  for (int i = 0; i < 500; ++i) expected += squared(plus_ten(twice(i)));
  EXPECT_EQ(sum.result(), expected);
}

TEST_F(PipelineTest, WorksOnDecoratedExecutors) {
  testing::PassingExecutor passing(pool);
  Executor& decorated = passing;
  testing::PassingExecutor twice_passing(decorated);
  const auto through = pipeline<int>().stage(twice_passing, twice).stage(passing, plus_ten);
  EXPECT_EQ(collected(through.run(numbers(100))).back(), 208);
  EXPECT_EQ(twice_passing.passed(), 100);
  EXPECT_EQ(passing.passed(), 200);
}

// An executor that runs tasks inside submit() nests nothing, however many items there are.
TEST_F(PipelineTest, DeepPipelinesDoNotRecurse) {
  constexpr int count = 100'000;
  testing::InlineExecutor here;
  std::atomic<const char*> lowest = nullptr;
  std::atomic<std::ptrdiff_t> depth_max = 0;
  const auto measure = [&](int x) {
    const char mark = 0;
    const char* expected = nullptr;
    lowest.compare_exchange_strong(expected, &mark);
    depth_max = std::max<std::ptrdiff_t>(depth_max, std::abs(lowest.load() - &mark));
    return x;
  };
  const StageOptions wide{.concurrency = count, .queue_max = count};
  const auto inline_stages = pipeline<int>()
                                 .stage(here, measure, wide)
                                 .stage(here, measure, wide)
                                 .stage(here, measure, wide);
  int at = 0;
  for (const int each : inline_stages.run(numbers(count))) ASSERT_EQ(each, at++);
  EXPECT_EQ(at, count);
  EXPECT_LT(depth_max, 64 << 10);
}

TEST_F(PipelineTest, HundredThousandItemsThroughThreads) {
  constexpr int count = 100'000;
  const StageOptions wide{.concurrency = 64, .queue_max = 64};
  const auto stages =
      pipeline<int>().stage(pool, twice, wide).stage(pool, plus_ten, wide).stage(pool, twice, wide);
  auto results = stages.run(numbers(count));
  int at = 0;
  for (const int each : results) ASSERT_EQ(each, 4 * at++ + 20);
  EXPECT_EQ(at, count);
  for (const StageStats& each : results.stats().stages) {
    EXPECT_EQ(each.in, std::uint64_t{count});
    EXPECT_EQ(each.out, std::uint64_t{count});
    EXPECT_EQ(each.failed + each.dropped + each.waiting + each.running, 0U);
  }
}

TEST_F(PipelineTest, RefusesSizesBelowOneByName) {
  const auto start = pipeline<int>();
  EXPECT_THROW(start.stage(pool, twice, {.concurrency = 0}), Error);
  EXPECT_THROW(start.stage(pool, twice, {.queue_max = -1}), Error);
  try {
    start.stage(pool, twice).stage(pool, twice, {.queue_max = 0, .name = "parse"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "pipeline: the queue_max of stage 1, 'parse' is 0");
    EXPECT_EQ(error.code(), ErrorCode::usage);
  }
}

}  // namespace
}  // namespace muster
