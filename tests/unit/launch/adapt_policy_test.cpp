#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/launch/adapt_policy.hpp>

#include "time_of_test.hpp"

namespace muster::launch {
namespace {

using namespace std::chrono_literals;

AdaptPolicy::Options range(unsigned min, unsigned max) {
  return {.min = min, .max = max, .slots_per_worker = 4};
}

TEST(AdaptPolicy, StartsWithTheFewest) {
  AdaptPolicy policy(range(2, 10));
  EXPECT_EQ(policy.wanted(start, Load{0, 0}, {}), 2U);
  EXPECT_EQ(policy.wanted(start, std::nullopt, {}), 2U);
}

TEST(AdaptPolicy, GrowsAtOnceToWhatTheBacklogNeeds) {
  AdaptPolicy policy(range(0, 10));
  EXPECT_EQ(policy.wanted(start, Load{1, 0}, {}), 1U);
  AdaptPolicy other(range(0, 10));
  EXPECT_EQ(other.wanted(start, Load{9, 0}, {}), 3U);
}

TEST(AdaptPolicy, GrowsInStepsToTheLimit) {
  AdaptPolicy policy(range(0, 50));
  const Load load{100'000, 0};
  EXPECT_EQ(policy.wanted(start, load, {}), 4U);
  EXPECT_EQ(policy.wanted(start + 9s, load, {}), 4U) << "cooling down";
  EXPECT_EQ(policy.wanted(start + 10s, load, {}), 8U);
  EXPECT_EQ(policy.wanted(start + 20s, load, {}), 16U);
  EXPECT_EQ(policy.wanted(start + 30s, load, {}), 32U);
  EXPECT_EQ(policy.wanted(start + 40s, load, {}), 50U);
  EXPECT_EQ(policy.wanted(start + 50s, load, {}), 50U);
}

TEST(AdaptPolicy, ShrinksWhenThereWasTooMuchForLong) {
  AdaptPolicy policy(range(1, 10));
  ASSERT_EQ(policy.wanted(start, Load{16, 0}, {}), 4U);
  EXPECT_EQ(policy.wanted(start + 1s, Load{0, 16}, {4, 0}), 4U);
  EXPECT_EQ(policy.wanted(start + 60s, Load{8, 16}, {4, 0}), 4U);
  EXPECT_EQ(policy.wanted(start + 120s, Load{0, 16}, {4, 0}), 4U);
  EXPECT_EQ(policy.wanted(start + 121s, Load{0, 16}, {4, 0}), 2U) << "the most of that time";
  EXPECT_EQ(policy.wanted(start + 122s, Load{0, 8}, {2, 0}), 2U);
  EXPECT_EQ(policy.wanted(start + 243s, Load{0, 8}, {2, 0}), 1U);
}

TEST(AdaptPolicy, ABurstInBetweenKeepsAll) {
  AdaptPolicy policy(range(1, 10));
  ASSERT_EQ(policy.wanted(start, Load{16, 0}, {}), 4U);
  for (Duration at = 1s; at < 20min; at += 1s) {
    const bool burst = at % 100s == 0s;
    EXPECT_EQ(policy.wanted(start + at, Load{burst ? 16U : 0U, 16}, {4, 0}), 4U);
  }
}

TEST(AdaptPolicy, ALittleTooMuchIsLetBe) {
  AdaptPolicy policy({.min = 0, .max = 40, .slots_per_worker = 1, .grow_step_min = 40});
  ASSERT_EQ(policy.wanted(start, Load{40, 0}, {}), 40U);
  for (Duration at = 1s; at < 20min; at += 10s)
    EXPECT_EQ(policy.wanted(start + at, Load{36, 40}, {40, 0}), 40U);
}

TEST(AdaptPolicy, SlotsAreThoseOfTheWorkersThatAreThere) {
  AdaptPolicy policy({.min = 0, .max = 100, .grow_step_min = 100});
  EXPECT_EQ(policy.wanted(start, Load{64, 32}, {2, 0}), 4U) << "16 slots each";
}

TEST(AdaptPolicy, NobodyKnowingTheLoadChangesNothing) {
  AdaptPolicy policy(range(0, 10));
  ASSERT_EQ(policy.wanted(start, Load{16, 0}, {}), 4U);
  EXPECT_EQ(policy.wanted(start + 1s, Load{0, 16}, {4, 0}), 4U);
  EXPECT_EQ(policy.wanted(start + 300s, std::nullopt, {4, 0}), 4U);
  EXPECT_EQ(policy.wanted(start + 301s, Load{0, 16}, {4, 0}), 4U) << "it counts anew";
}

TEST(AdaptPolicy, StaysWithinItsRange) {
  Random random(7);
  AdaptPolicy policy({.min = 3, .max = 17});
  TimePoint now = start;
  for (int i = 0; i < 100'000; ++i) {
    now += std::chrono::seconds(random.below(100));
    const unsigned wanted =
        policy.wanted(now, Load{random.below(1000) * random.below(1000), random.below(64)},
                      {static_cast<unsigned>(random.below(20)), 0});
    ASSERT_GE(wanted, 3U);
    ASSERT_LE(wanted, 17U);
  }
  EXPECT_THROW(AdaptPolicy({.min = 3, .max = 2}), Error);
  EXPECT_THROW(AdaptPolicy({.min = 0, .max = 0}), Error);
}

}  // namespace
}  // namespace muster::launch
