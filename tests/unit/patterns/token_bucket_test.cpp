#include <chrono>

#include <gtest/gtest.h>

#include <muster/patterns/token_bucket.hpp>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint start{std::chrono::hours(1)};

TEST(TokenBucket, GivesABurstAndThenOneTokenEachInterval) {
  TokenBucket bucket(200ms, 3);
  EXPECT_TRUE(bucket.try_take(start));
  EXPECT_TRUE(bucket.try_take(start));
  EXPECT_EQ(bucket.next(start), start);
  EXPECT_TRUE(bucket.try_take(start));
  EXPECT_FALSE(bucket.try_take(start));
  EXPECT_EQ(bucket.next(start), start + 200ms);
  EXPECT_FALSE(bucket.try_take(start + 200ms - 1ns));
  EXPECT_TRUE(bucket.try_take(start + 200ms));
  EXPECT_FALSE(bucket.try_take(start + 200ms));
  EXPECT_EQ(bucket.next(start + 200ms), start + 400ms);
}

TEST(TokenBucket, SavesNoMoreThanTheBurst) {
  TokenBucket bucket(10ms, 2);
  for (const TimePoint now : {start, start + 1h}) {
    EXPECT_TRUE(bucket.try_take(now));
    EXPECT_TRUE(bucket.try_take(now));
    EXPECT_FALSE(bucket.try_take(now));
  }
}

TEST(TokenBucket, SavesPartsOfTokens) {
  TokenBucket bucket(10ms, 1);
  EXPECT_TRUE(bucket.try_take(start));
  EXPECT_TRUE(bucket.try_take(start + 10ms));
  EXPECT_EQ(bucket.next(start + 13ms), start + 20ms);
  EXPECT_TRUE(bucket.try_take(start + 25ms));  // late by 5 ms, which a full bucket cannot save
  EXPECT_FALSE(bucket.try_take(start + 34ms));
  EXPECT_TRUE(bucket.try_take(start + 35ms));
}

TEST(TokenBucket, IsFullWhenTheLastBurstIsMadeUpFor) {
  TokenBucket bucket(10ms, 4);
  EXPECT_TRUE(bucket.is_full(start));
  EXPECT_TRUE(bucket.try_take(start));
  EXPECT_TRUE(bucket.try_take(start));
  EXPECT_FALSE(bucket.is_full(start + 20ms - 1ns));
  EXPECT_TRUE(bucket.is_full(start + 20ms));
}

TEST(TokenBucket, KeepsTheRateExactly) {
  TokenBucket bucket(3ms, 5);
  int taken = 0;
  for (TimePoint now = start; now < start + 300ms; now += 1ms) {
    if (bucket.try_take(now)) ++taken;
  }
  EXPECT_EQ(taken, 5 - 1 + 100);  // the burst takes as long as four more tokens need anyway
}

}  // namespace
}  // namespace muster
