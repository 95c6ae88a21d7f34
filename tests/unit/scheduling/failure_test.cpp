#include <gtest/gtest.h>

#include "driver.hpp"

namespace muster::scheduling {
namespace {

TEST(Failure, three_chunks_and_one_failure_are_exactly_four_runs) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(3)});
  driver.fail_last(FailureCause::crashed);
  EXPECT_EQ(driver.last_start().chunk, 0U);
  EXPECT_EQ(driver.last_start().attempt_number, 2U);
  for (int i = 0; i < 3; ++i) driver.succeed_last();
  EXPECT_EQ(driver.all<StartAttempt>().size(), 4U);
  EXPECT_EQ(driver.all<ChunkFinished>().size(), 3U);
  EXPECT_EQ(driver.all<JobFinished>().at(0).outcome, Outcome::succeeded);
}

TEST(Failure, each_cause_fails_the_job_after_exactly_its_budget) {
  const RetryBudgets budgets;
  for (std::uint32_t i = 0; i < failure_cause_count; ++i) {
    const auto cause = static_cast<FailureCause>(i);
    Driver driver;
    driver.join(1, 1);
    driver.submit(1, {stage(1)});
    for (std::uint32_t n = 1; n <= budgets.of(cause); ++n) {
      ASSERT_EQ(driver.all<StartAttempt>().size(), n) << to_string(cause);
      driver.fail_last(cause);
      driver.now += seconds(1);
      driver.expire();
    }
    EXPECT_EQ(driver.all<StartAttempt>().size(), budgets.of(cause)) << to_string(cause);
    const JobFinished expected{JobId{1}, Outcome::failed,
                               JobFailure{0, 0, budgets.of(cause), cause}};
    EXPECT_EQ(driver.all<JobFinished>(), std::vector<JobFinished>{expected});
    EXPECT_EQ(driver.scheduler.next_deadline(), std::nullopt);
  }
}

TEST(Failure, budgets_of_the_stage_apply_and_causes_do_not_add_up) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(1, Edge::none, {.crashed = 2, .out_of_memory = 3})});
  driver.fail_last(FailureCause::out_of_memory);
  driver.fail_last(FailureCause::crashed);
  driver.fail_last(FailureCause::out_of_memory);
  EXPECT_TRUE(driver.all<JobFinished>().empty());
  driver.fail_last(FailureCause::crashed);
  EXPECT_EQ(driver.all<JobFinished>().at(0).failure, (JobFailure{0, 0, 4, FailureCause::crashed}));
}

TEST(Failure, a_retry_prefers_another_worker) {
  Driver driver;
  driver.join(1, 2);
  driver.join(2, 1);
  driver.submit(1, {stage(1)});
  EXPECT_EQ(driver.last_start().worker, WorkerId{1});
  driver.fail_last(FailureCause::crashed);
  EXPECT_EQ(driver.last_start().worker, WorkerId{2});
  driver.fail_last(FailureCause::out_of_memory);
  EXPECT_EQ(driver.last_start().worker, WorkerId{1});
}

TEST(Failure, killed_waits_for_its_back_off_from_the_second_retry_on) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(1)});
  driver.fail_last(FailureCause::killed);
  EXPECT_EQ(driver.all<StartAttempt>().size(), 2U);
  EXPECT_EQ(driver.scheduler.next_deadline(), std::nullopt);

  driver.fail_last(FailureCause::killed);
  EXPECT_EQ(driver.all<StartAttempt>().size(), 2U);
  const auto deadline = driver.scheduler.next_deadline();
  ASSERT_TRUE(deadline.has_value());
  EXPECT_GE(*deadline, driver.now + milliseconds(5));
  EXPECT_LE(*deadline, driver.now + milliseconds(10));

  driver.now = *deadline - std::chrono::nanoseconds(1);
  EXPECT_TRUE(driver.expire().empty());
  driver.now = *deadline;
  EXPECT_EQ(driver.expire().size(), 1U);
  EXPECT_EQ(driver.last_start().attempt_number, 3U);
  EXPECT_TRUE(driver.expire().empty());
  EXPECT_EQ(driver.scheduler.next_deadline(), std::nullopt);
}

TEST(Failure, a_slot_is_used_by_others_during_a_back_off) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(2)});
  driver.fail_last(FailureCause::killed);
  driver.fail_last(FailureCause::killed);
  EXPECT_EQ(driver.last_start().chunk, 1U);
}

TEST(Failure, a_lost_worker_fails_what_ran_on_it_elsewhere_it_goes_on) {
  Driver driver;
  driver.join(1, 2);
  driver.join(2, 2);
  driver.submit(1, {stage(4)});
  const auto actions = driver.send(WorkerLost{WorkerId{1}});
  EXPECT_TRUE(actions.empty());
  EXPECT_EQ(driver.scheduler.find_job(JobId{1})->stages[0].retries[FailureCause::worker_lost], 2U);
  driver.send(AttemptSucceeded{AttemptId{2}});
  EXPECT_EQ(driver.last_start().chunk, 0U);
  EXPECT_EQ(driver.last_start().worker, WorkerId{2});
  EXPECT_EQ(driver.last_start().attempt_number, 2U);
  EXPECT_TRUE(driver.send(AttemptSucceeded{AttemptId{1}}).empty()) << "it was lost with its worker";
  EXPECT_EQ(driver.scheduler.counters().stale_results, 1U);
}

TEST(Failure, a_loss_that_ends_the_job_cancels_only_what_runs_elsewhere) {
  Driver driver;
  driver.join(1, 2);
  driver.join(2, 1);
  driver.submit(1, {stage(3, Edge::none, {.worker_lost = 1})});
  EXPECT_EQ(driver.send(WorkerLost{WorkerId{1}}),
            (std::vector<Action>{CancelAttempt{AttemptId{3}, WorkerId{2}},
                                 JobFinished{JobId{1}, Outcome::failed,
                                             JobFailure{0, 0, 1, FailureCause::worker_lost}}}));
}

TEST(Quarantine, the_third_attempt_after_two_crashes_runs_alone) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(1)});
  EXPECT_FALSE(driver.last_start().alone);
  driver.fail_last(FailureCause::crashed);
  EXPECT_FALSE(driver.last_start().alone);
  driver.fail_last(FailureCause::crashed);
  EXPECT_TRUE(driver.last_start().alone);
  driver.succeed_last();
  EXPECT_EQ(driver.all<JobFinished>().at(0).outcome, Outcome::succeeded);
}

TEST(Quarantine, one_chunk_at_a_time_and_others_overtake) {
  Driver driver;
  driver.submit(1, {stage(3)});
  driver.join(1, 2);
  for (const std::uint64_t attempt : {1U, 2U, 3U, 4U})
    driver.send(AttemptFailed{AttemptId{attempt}, FailureCause::crashed});
  const auto starts = driver.all<StartAttempt>();
  ASSERT_EQ(starts.size(), 6U);
  EXPECT_TRUE(starts[4].alone);
  EXPECT_EQ(starts[4].chunk, 0U);
  EXPECT_FALSE(starts[5].alone);
  EXPECT_EQ(starts[5].chunk, 2U) << "chunk 1 waits for its turn";
  EXPECT_EQ(driver.send(AttemptSucceeded{AttemptId{6}}).size(), 1U);
  driver.send(AttemptSucceeded{AttemptId{5}});
  EXPECT_TRUE(driver.last_start().alone);
  EXPECT_EQ(driver.last_start().chunk, 1U);
}

TEST(Quarantine, the_turn_passes_on_when_the_worker_is_lost) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(1)});
  driver.fail_last(FailureCause::crashed);
  driver.fail_last(FailureCause::crashed);
  driver.send(WorkerLost{WorkerId{1}});
  driver.join(2, 1);
  EXPECT_EQ(driver.last_start().worker, WorkerId{2});
  EXPECT_TRUE(driver.last_start().alone);
}

TEST(Quarantine, earlier_chunks_still_come_first) {
  Driver driver;
  driver.join(1, 1);
  driver.join(2, 1);
  driver.submit(1, {stage(2)});
  driver.send(AttemptFailed{AttemptId{2}, FailureCause::crashed});
  driver.send(AttemptFailed{AttemptId{3}, FailureCause::crashed});
  driver.send(WorkerLost{WorkerId{2}});
  driver.send(WorkerLost{WorkerId{1}});
  driver.join(3, 1);
  EXPECT_EQ(driver.last_start().chunk, 0U);
  driver.succeed_last();
  EXPECT_EQ(driver.last_start().chunk, 1U);
  EXPECT_TRUE(driver.last_start().alone);
}

TEST(Quarantine, a_back_off_comes_before_the_turn) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(1)});
  driver.fail_last(FailureCause::killed);
  driver.fail_last(FailureCause::crashed);
  driver.fail_last(FailureCause::crashed);
  driver.fail_last(FailureCause::killed);
  EXPECT_EQ(driver.all<StartAttempt>().size(), 4U);
  driver.now += milliseconds(10);
  driver.expire();
  EXPECT_TRUE(driver.last_start().alone);
  EXPECT_EQ(driver.last_start().attempt_number, 5U);
}

}  // namespace
}  // namespace muster::scheduling
