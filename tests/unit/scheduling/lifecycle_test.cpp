#include <gtest/gtest.h>

#include "driver.hpp"

namespace muster::scheduling {
namespace {

TEST(Results, duplicates_and_unknown_ones_are_ignored_and_counted) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(2)});
  driver.send(AttemptSucceeded{AttemptId{1}});
  EXPECT_TRUE(driver.send(AttemptSucceeded{AttemptId{1}}).empty());
  EXPECT_TRUE(driver.send(AttemptFailed{AttemptId{1}, FailureCause::task_error}).empty());
  EXPECT_TRUE(driver.send(AttemptSucceeded{AttemptId{77}}).empty());
  EXPECT_TRUE(driver.send(AttemptFailed{AttemptId{0}, FailureCause::crashed}).empty());
  EXPECT_EQ(driver.scheduler.counters().stale_results, 4U);
  EXPECT_EQ(driver.scheduler.free_slots(), 0U);
}

TEST(Results, success_after_a_reported_failure_does_not_commit) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(1)});
  driver.fail_last(FailureCause::crashed);
  EXPECT_TRUE(driver.send(AttemptSucceeded{AttemptId{1}}).empty());
  EXPECT_TRUE(driver.all<ChunkFinished>().empty());
  driver.send(AttemptSucceeded{AttemptId{2}});
  EXPECT_EQ(driver.all<ChunkFinished>(),
            (std::vector<ChunkFinished>{{JobId{1}, 0, 0, AttemptId{2}}}));
}

TEST(JobEnd, a_failure_cancels_what_runs_and_is_told_once) {
  Driver driver;
  driver.join(1, 3);
  driver.submit(1, {stage(5)});
  const auto actions = driver.send(AttemptFailed{AttemptId{2}, FailureCause::task_error});
  EXPECT_EQ(
      actions,
      (std::vector<Action>{
          CancelAttempt{AttemptId{1}, WorkerId{1}}, CancelAttempt{AttemptId{3}, WorkerId{1}},
          JobFinished{JobId{1}, Outcome::failed, JobFailure{0, 1, 1, FailureCause::task_error}}}));
  EXPECT_TRUE(driver.send(AttemptFailed{AttemptId{1}, FailureCause::task_error}).empty());
  EXPECT_TRUE(driver.send(AttemptSucceeded{AttemptId{3}}).empty());
  EXPECT_EQ(driver.all<StartAttempt>().size(), 3U);
  EXPECT_EQ(driver.scheduler.counters().stale_results, 2U);
  EXPECT_EQ(driver.scheduler.attempts_running(), 0U);
}

TEST(JobEnd, a_cancelled_attempt_keeps_its_slot_until_its_end_is_reported) {
  Driver driver;
  driver.join(1, 2);
  driver.submit(1, {stage(2)});
  driver.submit(2, {stage(2)});
  EXPECT_EQ(Driver::only<StartAttempt>(driver.send(JobCancelled{JobId{1}})).size(), 0U);
  EXPECT_EQ(driver.scheduler.free_slots(), 0U);
  const auto actions = driver.send(AttemptFailed{AttemptId{1}, FailureCause::killed});
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(driver.last_start().job, JobId{2});
}

TEST(JobEnd, a_lost_worker_releases_cancelled_attempts_without_a_charge) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(1)});
  driver.send(JobCancelled{JobId{1}});
  EXPECT_TRUE(driver.send(WorkerLost{WorkerId{1}}).empty());
  EXPECT_EQ(driver.scheduler.attempts_running(), 0U);
  EXPECT_EQ(driver.scheduler.free_slots(), 0U);
}

TEST(JobEnd, cancelling_drops_back_offs_and_quarantined_chunks) {
  Driver driver;
  driver.join(1, 2);
  driver.submit(1, {stage(3)});
  for (const std::uint64_t attempt : {1U, 2U, 3U, 4U})
    driver.send(AttemptFailed{AttemptId{attempt}, FailureCause::crashed});
  driver.send(AttemptFailed{AttemptId{6}, FailureCause::killed});
  driver.send(AttemptFailed{AttemptId{7}, FailureCause::killed});
  ASSERT_TRUE(driver.scheduler.next_deadline().has_value());
  const auto actions = driver.send(JobCancelled{JobId{1}});
  EXPECT_EQ(actions, (std::vector<Action>{CancelAttempt{AttemptId{5}, WorkerId{1}},
                                          JobFinished{JobId{1}, Outcome::cancelled, {}}}));
  EXPECT_EQ(driver.scheduler.next_deadline(), std::nullopt);
  driver.now += seconds(10);
  EXPECT_TRUE(driver.expire().empty());
  EXPECT_TRUE(driver.send(AttemptFailed{AttemptId{5}, FailureCause::killed}).empty());
  EXPECT_EQ(driver.scheduler.free_slots(), 2U);
}

TEST(JobEnd, what_makes_no_sense_is_ignored_and_counted) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {});
  driver.join(1, 5);
  driver.send(WorkerLost{WorkerId{2}});
  driver.send(JobCancelled{JobId{1}});
  driver.send(JobCancelled{JobId{3}});
  EXPECT_EQ(driver.scheduler.counters().ignored_events, 4U);
  EXPECT_EQ(driver.scheduler.free_slots(), 1U);
  EXPECT_EQ(driver.history.size(), 1U);
}

TEST(Workers, one_that_rejoins_gets_work_and_its_old_results_stay_stale) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(1)});
  driver.send(WorkerLost{WorkerId{1}});
  driver.join(1, 1);
  EXPECT_EQ(driver.last_start().attempt, AttemptId{2});
  EXPECT_TRUE(driver.send(AttemptSucceeded{AttemptId{1}}).empty());
  EXPECT_EQ(driver.scheduler.free_slots(), 0U);
  driver.succeed_last();
  EXPECT_EQ(driver.all<ChunkFinished>().at(0).attempt, AttemptId{2});
}

TEST(Progress, counts_follow_the_chunks) {
  Driver driver;
  driver.join(1, 2);
  driver.submit(1, {stage(4), stage(1, Edge::barrier)});
  const auto counts = [&](std::size_t n) { return driver.scheduler.find_job(JobId{1})->stages[n]; };
  EXPECT_EQ(counts(0), (StageProgress{2, 2, 0, {}}));
  EXPECT_EQ(counts(1), (StageProgress{1, 0, 0, {}}));
  driver.send(AttemptSucceeded{AttemptId{1}});
  driver.send(AttemptFailed{AttemptId{2}, FailureCause::out_of_memory});
  EXPECT_EQ(counts(0).done, 1U);
  EXPECT_EQ(counts(0).running, 2U);
  EXPECT_EQ(counts(0).retries[FailureCause::out_of_memory], 1U);
  EXPECT_EQ(driver.scheduler.find_job(JobId{1})->outcome, std::nullopt);
  driver.send(JobCancelled{JobId{1}});
  EXPECT_EQ(counts(0).pending, 3U);
  EXPECT_EQ(counts(0).running, 0U);
  EXPECT_EQ(driver.scheduler.find_job(JobId{1})->outcome, Outcome::cancelled);
  EXPECT_EQ(driver.scheduler.find_job(JobId{2}), nullptr);
  EXPECT_EQ(driver.scheduler.counters().attempts_started, 4U);
}

TEST(Determinism, the_same_events_and_seed_give_the_same_answers) {
  const auto play = [] {
    Driver driver({.seed = 42});
    driver.join(1, 2);
    driver.submit(1, {stage(6)});
    for (std::uint64_t i = 1; i < 12; ++i) {
      driver.send(AttemptFailed{AttemptId{i}, FailureCause::killed});
      driver.now += milliseconds(3);
      driver.expire();
    }
    return driver.history;
  };
  EXPECT_EQ(play(), play());
}

}  // namespace
}  // namespace muster::scheduling
