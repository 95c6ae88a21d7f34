#include <gtest/gtest.h>

#include <muster/scheduling/job_state.hpp>

#include "driver.hpp"

namespace muster::scheduling {
namespace {

TEST(JobState, a_chunk_that_failed_and_then_finished_leaves_no_record) {
  std::vector<Action> actions;
  JobState job(JobId{1}, 0, {stage(2)});
  job.open(actions);
  const ChunkRef ref{0, 0};
  job.start(ref, AttemptId{1});
  job.detach({0, 0}, AttemptId{1}, std::nullopt);
  ++job.failure(ref).failures;
  job.hold(ref, FailureCause::crashed);
  job.release(ref);
  job.start(ref, AttemptId{2});
  job.detach({0, 0}, AttemptId{2}, std::nullopt);
  job.finish(ref, AttemptId{2}, WorkerId{1}, actions);
  EXPECT_TRUE(job.failures().empty());
  EXPECT_EQ(job.first_ready(), (ChunkRef{0, 1}));
  EXPECT_FALSE(job.all_done());
}

TEST(JobStateDeathTest, a_second_commit_of_a_chunk_is_a_broken_invariant) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  std::vector<Action> actions;
  JobState job(JobId{1}, 0, {stage(2)});
  job.open(actions);
  job.start({0, 0}, AttemptId{1});
  job.detach({0, 0}, AttemptId{1}, std::nullopt);
  job.finish({0, 0}, AttemptId{1}, WorkerId{1}, actions);
  EXPECT_DEATH(job.finish({0, 0}, AttemptId{1}, WorkerId{1}, actions), "invariant broken");
  EXPECT_DEATH(job.start({0, 0}, AttemptId{2}), "invariant broken");
}

TEST(JobState, an_ended_job_keeps_its_counts_and_nothing_else) {
  std::vector<Action> actions;
  JobState job(JobId{1}, 0, {stage(2), stage(2, Edge::each)});
  job.open(actions);
  job.start({0, 0}, AttemptId{1});
  job.detach({0, 0}, AttemptId{1}, std::nullopt);
  job.finish({0, 0}, AttemptId{1}, WorkerId{1}, actions);
  job.start({0, 1}, AttemptId{2});
  job.end(Outcome::cancelled);
  EXPECT_TRUE(job.ended());
  EXPECT_TRUE(job.attempts().empty());
  EXPECT_EQ(job.first_ready(), std::nullopt);
  EXPECT_EQ(job.progress().stages[0], (StageProgress{1, 0, 1, {}}));
  EXPECT_EQ(job.progress().stages[1], (StageProgress{2, 0, 0, {}}));
}

}  // namespace
}  // namespace muster::scheduling
