// Jobs whose chunks come one after the other, and end each by itself.
#include <gtest/gtest.h>

#include "driver.hpp"

namespace muster::scheduling {
namespace {

const JobId job{1};

StageSpec stream(std::uint32_t chunks = 0, RetryBudgets budgets = {}) {
  StageSpec out = stage(chunks, Edge::none, budgets);
  out.stream = true;
  return out;
}

ChunkFinished finished(std::uint32_t chunk, std::uint64_t attempt) {
  return {job, 0, chunk, AttemptId{attempt}};
}

TEST(Stream, runs_what_is_added_in_order) {
  Driver driver;
  driver.join(1, 2);
  driver.submit(1, {stream()});
  EXPECT_TRUE(driver.history.empty()) << "there is nothing yet, and it does not end";
  driver.send(ChunksAdded{job, 1});
  EXPECT_EQ(driver.last_start().chunk, 0U);
  driver.send(ChunksAdded{job, 3});
  EXPECT_EQ(driver.last_start().chunk, 1U);
  driver.succeed_all();
  EXPECT_EQ(driver.all<StartAttempt>().size(), 4U);
  EXPECT_EQ(driver.all<ChunkFinished>().size(), 4U);
  EXPECT_TRUE(driver.all<JobFinished>().empty());
}

TEST(Stream, ends_when_it_is_sealed_and_all_chunks_have) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stream(1)});
  EXPECT_TRUE(driver.send(StreamSealed{job}).empty());
  EXPECT_EQ(driver.succeed_last(), (std::vector<Action>{finished(0, 1), StageFinished{job, 0},
                                                        JobFinished{job, Outcome::succeeded}}));
}

TEST(Stream, that_has_nothing_left_ends_when_it_is_sealed) {
  Driver driver;
  driver.submit(1, {stream()});
  EXPECT_EQ(driver.send(StreamSealed{job}),
            (std::vector<Action>{StageFinished{job, 0}, JobFinished{job, Outcome::succeeded}}));
}

TEST(Stream, a_chunk_that_fails_ends_alone) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stream(2)});
  EXPECT_EQ(driver.fail_last(FailureCause::task_error).front(),
            Action(ChunkFailed{job, 0, 1, FailureCause::task_error}));
  EXPECT_EQ(driver.last_start().chunk, 1U);
  driver.succeed_last();
  driver.send(StreamSealed{job});
  EXPECT_EQ(driver.all<JobFinished>().back().outcome, Outcome::succeeded);
  const StageProgress& counts = driver.scheduler.find_job(job)->stages.front();
  EXPECT_EQ(counts.failed, 1U);
  EXPECT_EQ(counts.done, 1U);
  EXPECT_EQ(counts.pending, 0U);
}

TEST(Stream, a_chunk_is_tried_as_often_as_its_budget_says) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stream(1, {.crashed = 3})});
  for (std::uint32_t i = 1; i <= 2; ++i) {
    EXPECT_TRUE(Driver::only<ChunkFailed>(driver.fail_last(FailureCause::crashed)).empty());
    EXPECT_EQ(driver.last_start().attempt_number, i + 1);
  }
  EXPECT_TRUE(driver.last_start().alone);
  EXPECT_EQ(Driver::only<ChunkFailed>(driver.fail_last(FailureCause::crashed)),
            std::vector{(ChunkFailed{job, 0, 3, FailureCause::crashed})});
}

TEST(Stream, a_cancelled_chunk_that_waits_never_runs) {
  Driver driver;
  driver.submit(1, {stream(3)});
  EXPECT_TRUE(driver.send(ChunkCancelled{job, 1}).empty());
  driver.join(1, 3);
  EXPECT_EQ(driver.all<StartAttempt>().size(), 2U);
  EXPECT_EQ(driver.last_start().chunk, 2U);
  EXPECT_EQ(driver.scheduler.find_job(job)->stages.front().cancelled, 1U);
}

TEST(Stream, a_cancelled_chunk_that_runs_is_stopped_and_its_result_is_stale) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stream(2)});
  EXPECT_EQ(driver.send(ChunkCancelled{job, 0}),
            std::vector<Action>{(CancelAttempt{AttemptId{1}, WorkerId{1}})});
  const auto answer = driver.send(AttemptSucceeded{AttemptId{1}});
  EXPECT_TRUE(Driver::only<ChunkFinished>(answer).empty());
  EXPECT_EQ(driver.last_start().chunk, 1U) << "its slot is free when it has ended";
  driver.succeed_last();
  driver.send(StreamSealed{job});
  EXPECT_EQ(driver.all<JobFinished>().size(), 1U);
}

TEST(Stream, a_cancelled_chunk_that_waits_for_its_back_off_is_forgotten) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stream(1)});
  driver.fail_last(FailureCause::killed);
  driver.fail_last(FailureCause::killed);
  ASSERT_TRUE(driver.scheduler.next_deadline().has_value());
  driver.send(ChunkCancelled{job, 0});
  EXPECT_FALSE(driver.scheduler.next_deadline().has_value());
}

TEST(Stream, cancelling_a_chunk_stops_both_of_its_attempts) {
  Driver driver(
      {.seed = 1,
       .back_off = {},
       .lease = {},
       .speculation = SpeculationOptions{.at_least = milliseconds(10), .times = 2, .samples = 1}});
  driver.join(1, 1);
  StageSpec spec = stream(2);
  spec.speculate = true;
  driver.submit(1, {spec});
  driver.now += milliseconds(10);
  driver.succeed_last();
  driver.now += seconds(1);
  driver.join(2, 1);
  ASSERT_EQ(driver.last_start().worker, WorkerId{2});
  ASSERT_EQ(driver.last_start().chunk, 1U);
  EXPECT_EQ(driver.send(ChunkCancelled{job, 1}),
            (std::vector<Action>{CancelAttempt{AttemptId{2}, WorkerId{1}},
                                 CancelAttempt{AttemptId{3}, WorkerId{2}}}));
}

TEST(Stream, what_makes_no_sense_is_ignored_and_counted) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stream(1)});
  driver.submit(2, {stage(1)});
  std::uint64_t ignored = 0;
  const auto expect_ignored = [&](const Event& event) {
    EXPECT_TRUE(driver.send(event).empty());
    EXPECT_EQ(driver.scheduler.counters().ignored_events, ++ignored);
  };
  expect_ignored(ChunksAdded{JobId{9}, 1});
  expect_ignored(ChunksAdded{JobId{2}, 1});
  expect_ignored(ChunksAdded{job, chunks_max});
  expect_ignored(StreamSealed{JobId{2}});
  expect_ignored(ChunkCancelled{JobId{2}, 0});
  expect_ignored(ChunkCancelled{job, 1});
  driver.send(StreamSealed{job});
  expect_ignored(StreamSealed{job});
  expect_ignored(ChunksAdded{job, 1});
  expect_ignored(JobForgotten{job});
  driver.succeed_last();
  expect_ignored(ChunkCancelled{job, 0});
  expect_ignored(ChunksAdded{job, 1});
}

TEST(Stream, stands_alone_in_its_job) {
  EXPECT_EQ(validate({stream(1), stage(1)}), Rejection::stream_and_more);
  EXPECT_EQ(validate({stream(1)}), std::nullopt);
}

TEST(Stream, a_job_that_is_forgotten_is_not_known_any_more) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(1)});
  driver.send(JobCancelled{job});
  ASSERT_NE(driver.scheduler.find_job(job), nullptr);
  driver.send(JobForgotten{job});
  EXPECT_EQ(driver.scheduler.find_job(job), nullptr);
  driver.send(AttemptFailed{AttemptId{1}, FailureCause::killed});
  EXPECT_EQ(driver.scheduler.free_slots(), 1U) << "what was cancelled gives its slot back";
}

}  // namespace
}  // namespace muster::scheduling
