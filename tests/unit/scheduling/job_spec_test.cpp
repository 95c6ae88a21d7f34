#include <gtest/gtest.h>

#include "driver.hpp"

namespace muster::scheduling {
namespace {

TEST(JobSpec, contradictions_are_named) {
  EXPECT_EQ(validate({}), std::nullopt);
  EXPECT_EQ(validate({stage(3), stage(3, Edge::each), stage(1, Edge::barrier)}), std::nullopt);
  EXPECT_EQ(validate({stage(3, Edge::each)}), Rejection::first_stage_edge);
  EXPECT_EQ(validate({stage(3), stage(2, Edge::each)}), Rejection::unequal_counts);
  EXPECT_EQ(validate({stage(1, Edge::none, {.killed = 0})}), Rejection::empty_budget);
  EXPECT_EQ(validate(JobSpec(stages_max + 1)), Rejection::too_many_stages);
  EXPECT_EQ(validate({stage(chunks_max), stage(1)}), Rejection::too_many_chunks);
  EXPECT_EQ(validate({stage(UINT32_MAX), stage(UINT32_MAX)}), Rejection::too_many_chunks);
}

TEST(JobSpec, a_contradictory_job_is_rejected_and_leaves_no_trace) {
  Driver driver;
  driver.join(1, 4);
  driver.submit(7, {stage(3), stage(2, Edge::each)});
  EXPECT_EQ(driver.history,
            (std::vector<Action>{JobRejected{JobId{7}, Rejection::unequal_counts}}));
  EXPECT_EQ(driver.scheduler.find_job(JobId{7}), nullptr);
}

TEST(JobSpec, a_second_job_of_the_same_id_does_not_disturb_the_first) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(7, {stage(2)});
  driver.submit(7, {stage(9)});
  EXPECT_EQ(driver.all<JobRejected>(),
            (std::vector<JobRejected>{{JobId{7}, Rejection::duplicate_job}}));
  driver.succeed_all();
  driver.submit(7, {stage(9)});
  EXPECT_EQ(driver.all<JobRejected>().size(), 2U);
  EXPECT_EQ(driver.all<ChunkFinished>().size(), 2U);
}

TEST(JobSpec, every_cause_has_its_own_budget_and_name) {
  const RetryBudgets budgets{1, 2, 3, 4, 5, 6, 7, 8};
  for (std::uint32_t i = 0; i < failure_cause_count; ++i) {
    const auto cause = static_cast<FailureCause>(i);
    EXPECT_EQ(budgets.of(cause), i + 1);
    EXPECT_NE(to_string(cause), "unknown");
  }
}

}  // namespace
}  // namespace muster::scheduling
