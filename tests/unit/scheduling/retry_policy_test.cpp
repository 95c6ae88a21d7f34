#include <chrono>

#include <gtest/gtest.h>

#include <muster/scheduling/retry_policy.hpp>

namespace muster::scheduling {
namespace {

using std::chrono::milliseconds;

TEST(RetryPolicy, killed_backs_off_from_zero_by_doubling_to_a_second) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    RetryPolicy policy({}, seed);
    FailureRecord record;
    const RetryBudgets budgets;
    EXPECT_EQ(policy.charge(record, FailureCause::killed, budgets), Duration::zero());
    for (const int nominal :
         {10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000, 1000, 1000, 1000, 1000}) {
      const auto delay = policy.charge(record, FailureCause::killed, budgets);
      ASSERT_TRUE(delay.has_value());
      EXPECT_GE(*delay, milliseconds(nominal) / 2);
      EXPECT_LE(*delay, milliseconds(nominal));
    }
    EXPECT_EQ(policy.charge(record, FailureCause::killed, budgets), std::nullopt);
    EXPECT_EQ(record.failures, 16U);
  }
}

TEST(RetryPolicy, jitter_follows_the_seed) {
  const auto second_delay = [](std::uint64_t seed) {
    RetryPolicy policy({}, seed);
    FailureRecord record;
    policy.charge(record, FailureCause::killed, {});
    return policy.charge(record, FailureCause::killed, {});
  };
  EXPECT_EQ(second_delay(1), second_delay(1));
  EXPECT_NE(second_delay(1), second_delay(2));
}

TEST(RetryPolicy, causes_are_charged_separately) {
  RetryPolicy policy({}, 1);
  FailureRecord record;
  const RetryBudgets budgets;
  EXPECT_TRUE(policy.charge(record, FailureCause::crashed, budgets));
  EXPECT_TRUE(policy.charge(record, FailureCause::crashed, budgets));
  EXPECT_TRUE(policy.charge(record, FailureCause::out_of_memory, budgets));
  EXPECT_TRUE(policy.charge(record, FailureCause::worker_lost, budgets));
  EXPECT_FALSE(policy.charge(record, FailureCause::crashed, budgets));
  EXPECT_EQ(record.failures, 5U);
}

}  // namespace
}  // namespace muster::scheduling
