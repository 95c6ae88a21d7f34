#include <cmath>

#include <gtest/gtest.h>

#include <muster/patterns/progress.hpp>

namespace muster {
namespace {

using namespace std::chrono_literals;
using Outcome = ProgressMeter::Outcome;

constexpr TimePoint start{};

ProgressMeter meter_of(std::size_t total) {
  ProgressMeter out(start);
  for (std::size_t i = 0; i < total; ++i) out.add();
  return out;
}

void complete(ProgressMeter& meter, Duration at, int count = 1) {
  for (int i = 0; i < count; ++i) meter.complete(Outcome::succeeded, start + at);
}

TEST(ProgressMeter, CountsOutcomes) {
  ProgressMeter meter = meter_of(5);
  meter.complete(Outcome::succeeded, start + 1s);
  meter.complete(Outcome::failed, start + 2s);
  meter.complete(Outcome::failed, start + 2s);
  meter.complete(Outcome::cancelled, start + 3s);
  const Progress now = meter.at(start + 4s);
  EXPECT_EQ(now.done, 4U);
  EXPECT_EQ(now.failed, 2U);
  EXPECT_EQ(now.cancelled, 1U);
  EXPECT_EQ(now.total, 5U);
  EXPECT_EQ(now.elapsed, 4s);
  EXPECT_EQ(now.fraction, 0.8);
  EXPECT_EQ(now.weight_done, 0U);
  EXPECT_EQ(now.weight_total, 0U);
  EXPECT_FALSE(now.ended);
}

TEST(ProgressMeter, NothingToDoIsAllDone) {
  const Progress now = meter_of(0).at(start);
  EXPECT_EQ(now.fraction, 1.0);
  EXPECT_EQ(now.per_second, 0.0);
  EXPECT_FALSE(now.eta);
}

TEST(ProgressMeter, HasNoRateBeforeAnythingIsDone) {
  ProgressMeter meter = meter_of(2);
  EXPECT_EQ(meter.at(start + 5s).per_second, 0.0);
  EXPECT_FALSE(meter.at(start + 5s).eta);
  complete(meter, 0s);  // in no time at all
  EXPECT_EQ(meter.at(start).per_second, 0.0);
  EXPECT_DOUBLE_EQ(meter.at(start + 2s).per_second, (std::exp(-0.2) + 1) / 2);
}

TEST(ProgressMeter, TheRateIsTheWholeMeanAtFirst) {
  ProgressMeter meter = meter_of(10);
  complete(meter, 100ms);
  complete(meter, 200ms);
  complete(meter, 500ms);
  EXPECT_DOUBLE_EQ(meter.at(start + 500ms).per_second, 6.0);
}

TEST(ProgressMeter, UniformWorkHasItsExactRateAtEveryMoment) {
  for (const Duration each : {Duration(1ms), Duration(300ms), Duration(1s), Duration(60s)}) {
    ProgressMeter meter = meter_of(4000);
    for (int i = 1; i <= 3000; ++i) {
      complete(meter, i * each);
      const double exact = 1e9 / static_cast<double>(each.count());
      ASSERT_NEAR(meter.at(start + i * each).per_second / exact, 1.0, 1e-9) << i;
      ASSERT_NEAR(meter.at(start + i * each + each / 2).per_second / exact, 1.0, 1e-9) << i;
    }
    const Progress now = meter.at(start + 3000 * each);
    ASSERT_TRUE(now.eta);
    EXPECT_NEAR(std::chrono::duration<double>(*now.eta / 1000).count(),
                std::chrono::duration<double>(each).count(), 1e-6);
  }
}

TEST(ProgressMeter, TasksThatEndSideBySideAreOneSample) {
  ProgressMeter meter = meter_of(100);
  complete(meter, 60s, 8);
  EXPECT_DOUBLE_EQ(meter.at(start + 60s).per_second, 8.0 / 60);
  EXPECT_DOUBLE_EQ(meter.at(start + 119s).per_second, 8.0 / 60);
  complete(meter, 120s);  // the first of the next eight
  EXPECT_DOUBLE_EQ(meter.at(start + 120s).per_second, 8.0 / 60);
  complete(meter, 121s, 7);  // more than a second later, but half a minute belongs together
  const double kept = std::exp(-0.2);
  EXPECT_DOUBLE_EQ(meter.at(start + 160s).per_second, (kept * 8 + 8) / (kept * 60 + 61));
}

TEST(ProgressMeter, OldWorkFadesWithTenSeconds) {
  ProgressMeter meter = meter_of(1000);
  for (int i = 1; i <= 600; ++i) complete(meter, i * 100ms);
  for (int i = 1; i <= 10; ++i) complete(meter, 60s + i * 1s);
  // Sixty seconds had ten each, then eleven one each, as far as can be said: it is due now.
  const double slow = 1 - std::exp(-1.1);
  const double fast = std::exp(-1.1) - std::exp(-7.1);
  EXPECT_NEAR(meter.at(start + 71s).per_second, (fast * 10 + slow) / (fast + slow), 1e-9);
}

TEST(ProgressMeter, TheRateRisesAtOnceWhereWorkSpeedsUp) {
  ProgressMeter meter = meter_of(1000);
  for (int i = 1; i <= 10; ++i) complete(meter, i * 60s);
  complete(meter, 601s, 100);
  EXPECT_GT(meter.at(start + 601s).per_second, 10 * 1.0 / 60);
}

TEST(ProgressMeter, TheRateSinksWhereNothingCompletes) {
  ProgressMeter meter = meter_of(100);
  for (int i = 1; i <= 10; ++i) complete(meter, i * 1s);
  EXPECT_DOUBLE_EQ(meter.at(start + 11s).per_second, 1.0);
  const double weight = (1 - std::exp(-1.0)) / (1 - std::exp(-0.1)) * std::exp(-0.2);
  EXPECT_NEAR(meter.at(start + 20s).per_second, (weight + 1) / (weight + 10), 1e-9);
  EXPECT_LT(meter.at(start + 1000s).per_second, 0.01);
}

TEST(ProgressMeter, TheTimeLeftIsHiddenUntilItMeansSomething) {
  ProgressMeter meter = meter_of(100);
  for (int i = 1; i <= 4; ++i) complete(meter, i * 1s);
  EXPECT_FALSE(meter.at(start + 4s).eta);
  complete(meter, 5s);
  ASSERT_TRUE(meter.at(start + 5s).eta);
  EXPECT_NEAR(std::chrono::duration<double>(*meter.at(start + 5s).eta).count(), 95.0, 1e-6);
  EXPECT_FALSE(meter.at(start + 5s, true).eta);
  for (int i = 6; i <= 100; ++i) complete(meter, i * 1s);
  EXPECT_FALSE(meter.at(start + 100s).eta);
}

TEST(ProgressMeter, ATimeLeftThatNoDurationHoldsIsNone) {
  ProgressMeter meter = meter_of(1);
  complete(meter, 1s);
  meter.expect(20);
  EXPECT_TRUE(meter.at(start + 1s).eta);
  EXPECT_FALSE(meter.at(start + std::chrono::hours(24 * 365 * 100)).eta);
}

TEST(ProgressMeter, TheLastReportHasTheMeanOfEverything) {
  ProgressMeter meter = meter_of(20);
  complete(meter, 10s, 10);
  for (int i = 1; i <= 10; ++i) complete(meter, 10s + i * 3s);
  const Progress last = meter.at(start + 40s, true);
  EXPECT_TRUE(last.ended);
  EXPECT_DOUBLE_EQ(last.per_second, 0.5);
}

TEST(ProgressMeter, WeightsDecideRateAndTimeLeft) {
  ProgressMeter meter(start, true);
  for (const std::uint64_t weight : {100U, 300U, 600U}) meter.add(weight);
  meter.complete(Outcome::succeeded, start + 1s, 100);
  meter.complete(Outcome::failed, start + 4s, 300);
  const Progress now = meter.at(start + 4s);
  EXPECT_EQ(now.done, 2U);
  EXPECT_EQ(now.weight_done, 400U);
  EXPECT_EQ(now.weight_total, 1000U);
  EXPECT_DOUBLE_EQ(now.fraction, 0.4);
  EXPECT_NEAR(now.per_second, 100.0, 1e-9);
  EXPECT_NEAR(std::chrono::duration<double>(now.eta.value()).count(), 6.0, 1e-6);
}

TEST(ProgressMeter, WhatIsExpectedWeighsAsTheMeanOfTheKnown) {
  ProgressMeter meter(start, true);
  meter.expect(4);
  meter.add(100);
  meter.add(300);
  EXPECT_EQ(meter.at(start).total, 4U);
  EXPECT_EQ(meter.at(start).weight_total, 800U);
  meter.expect(1);  // more than that is known
  EXPECT_EQ(meter.at(start).total, 2U);
}

TEST(ProgressMeter, WeightsThatAreAllZeroLeaveTheCounts) {
  ProgressMeter meter(start, true);
  meter.add(0);
  meter.add(0);
  meter.complete(Outcome::succeeded, start + 1s, 0);
  EXPECT_EQ(meter.at(start + 1s).fraction, 0.5);
  EXPECT_FALSE(meter.at(start + 1s).eta);
}

}  // namespace
}  // namespace muster
