#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/futures/as_completed.hpp>
#include <muster/futures/promise.hpp>

namespace muster {
namespace {

using namespace std::chrono_literals;
using Futures = std::vector<Future<int>>;

Future<int> done_with(int value) {
  Promise<int> promise;
  promise.set_value(value);
  return promise.future();
}

TEST(AsCompleted, TakesNewFuturesForNewWhereverTheyLie) {
  auto all = as_completed(Futures{done_with(1)});
  int sum = 0;
  for (const auto& each : all) {
    const int value = each.result();
    sum += value;
    // The one before is gone by now; the new one takes its memory.
    EXPECT_TRUE(value == 100 || all.add(done_with(value + 1)));
  }
  EXPECT_EQ(sum, 5050);
}

TEST(AsCompleted, KnowsWhatItWaitsForAndTheCurrentOne) {
  const Promise<int> open;
  auto all = as_completed(Futures{done_with(1), open.future()});
  ASSERT_TRUE(all.next());
  EXPECT_FALSE(all.add(open.future()));
  EXPECT_FALSE(all.add(all.current()));
  EXPECT_EQ(all.added(), 2U);
}

TEST(AsCompleted, NextLooksUntilATimeAndGoesOnAfterwards) {
  Promise<int> promise;
  auto all = as_completed(Futures{promise.future(), done_with(1)}, 60s);
  ASSERT_TRUE(all.next(Clock::now()));
  EXPECT_EQ(all.number(), 1U);
  EXPECT_EQ(all.left(), 1U);
  EXPECT_FALSE(all.next(Clock::now() + 1ms));
  EXPECT_FALSE(all.current().valid());
  EXPECT_EQ(all.left(), 1U);
  std::thread setter([&] { promise.set_value(2); });
  EXPECT_TRUE(all.next());
  setter.join();
  EXPECT_EQ(all.number(), 0U);
  EXPECT_EQ(all.current().result(), 2);
  EXPECT_FALSE(all.next());
  EXPECT_EQ(all.left(), 0U);
}

TEST(AsCompleted, NextThrowsAtItsOwnDeadlineAlone) {  // 57
  const Promise<int> open;
  auto all = as_completed(Futures{open.future(), done_with(1)}, 0s);
  ASSERT_TRUE(all.next());
  try {
    all.next(Clock::now() + 60s);
    ADD_FAILURE() << "no timeout";
  } catch (const TimeoutError& error) {
    EXPECT_STREQ(error.what(), "1 (of 2) futures unfinished");
  }
}

}  // namespace
}  // namespace muster
