#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "driver.hpp"

namespace muster::scheduling {
namespace {

std::vector<ChunkRef> refs(const std::vector<StartAttempt>& starts) {
  std::vector<ChunkRef> found;
  for (const StartAttempt& start : starts) found.push_back({start.stage, start.chunk});
  return found;
}

TEST(Dispatch, each_chunk_runs_once_and_attempts_count_from_one) {
  Driver driver;
  driver.submit(1, {stage(3)});
  driver.join(1, 2);
  driver.succeed_all();
  const auto starts = driver.all<StartAttempt>();
  ASSERT_EQ(starts.size(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(starts[i], (StartAttempt{AttemptId{i + 1}, JobId{1}, 0, i, WorkerId{1}, 1, false}));
  }
  EXPECT_EQ(driver.all<ChunkFinished>().size(), 3U);
  EXPECT_EQ(driver.all<StageFinished>().size(), 1U);
  EXPECT_EQ(driver.all<JobFinished>(),
            (std::vector<JobFinished>{{JobId{1}, Outcome::succeeded, {}}}));
}

TEST(Dispatch, load_is_balanced_over_workers) {
  Driver driver;
  driver.join(1, 2);
  driver.join(2, 4);
  driver.join(3, 2);
  driver.submit(1, {stage(8)});
  std::vector<std::uint64_t> workers;
  for (const StartAttempt& start : driver.all<StartAttempt>())
    workers.push_back(start.worker.value);
  EXPECT_EQ(workers, (std::vector<std::uint64_t>{2, 2, 1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(driver.scheduler.free_slots(), 0U);
}

std::vector<std::uint64_t> jobs(const std::vector<StartAttempt>& starts) {
  std::vector<std::uint64_t> found;
  for (const StartAttempt& start : starts) found.push_back(start.job.value);
  return found;
}

TEST(Dispatch, jobs_share_and_the_first_submitted_comes_first) {
  Driver driver;
  driver.submit(9, {stage(3)});
  driver.submit(4, {stage(3)});
  driver.join(1, 4);
  EXPECT_EQ(jobs(driver.all<StartAttempt>()), (std::vector<std::uint64_t>{9, 4, 9, 4}));
}

TEST(Dispatch, jobs_share_by_their_weights) {
  Driver driver;
  driver.send(JobSubmitted{JobId{1}, {stage(100)}, {.weight = 3}});
  driver.send(JobSubmitted{JobId{2}, {stage(100)}, {.weight = 1}});
  driver.join(1, 40);
  const auto starts = jobs(driver.all<StartAttempt>());
  EXPECT_EQ(std::count(starts.begin(), starts.end(), 1U), 30);
  EXPECT_EQ(std::count(starts.begin(), starts.end(), 2U), 10);
  for (int i = 0; i < 4; ++i) driver.send(AttemptSucceeded{driver.all<StartAttempt>()[0].attempt});
  EXPECT_EQ(driver.last_start().job, JobId{1}) << "whose share was given back";
}

TEST(Dispatch, a_higher_priority_goes_first_always) {
  Driver driver;
  driver.submit(1, {stage(10)});
  driver.join(1, 2);
  driver.send(JobSubmitted{JobId{2}, {stage(3)}, {.priority = 5}});
  driver.succeed_all();
  EXPECT_EQ(jobs(driver.all<StartAttempt>()),
            (std::vector<std::uint64_t>{1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1}));
}

TEST(Dispatch, barrier_waits_for_the_whole_stage) {
  Driver driver;
  driver.join(1, 4);
  driver.submit(1, {stage(3), stage(2, Edge::barrier)});
  ASSERT_EQ(driver.all<StartAttempt>().size(), 3U);
  EXPECT_EQ(driver.send(AttemptSucceeded{AttemptId{3}}).size(), 1U);
  EXPECT_EQ(driver.send(AttemptSucceeded{AttemptId{1}}).size(), 1U);
  const auto actions = driver.send(AttemptSucceeded{AttemptId{2}});
  ASSERT_EQ(actions.size(), 4U);
  EXPECT_EQ(actions[0], Action(ChunkFinished{JobId{1}, 0, 1, AttemptId{2}}));
  EXPECT_EQ(actions[1], Action(StageFinished{JobId{1}, 0}));
  EXPECT_EQ(refs(Driver::only<StartAttempt>(actions)), (std::vector<ChunkRef>{{1, 0}, {1, 1}}));
}

TEST(Dispatch, each_starts_a_chunk_as_soon_as_its_own_is_done) {
  Driver driver;
  driver.join(1, 2);
  driver.submit(1, {stage(2), stage(2, Edge::each), stage(2, Edge::each)});
  EXPECT_EQ(refs(Driver::only<StartAttempt>(driver.send(AttemptSucceeded{AttemptId{2}}))),
            (std::vector<ChunkRef>{{1, 1}}));
  EXPECT_EQ(refs(Driver::only<StartAttempt>(driver.succeed_last())),
            (std::vector<ChunkRef>{{2, 1}}));
  driver.succeed_last();
  driver.send(AttemptSucceeded{AttemptId{1}});
  driver.succeed_last();
  driver.succeed_last();
  EXPECT_EQ(driver.all<StartAttempt>().size(), 6U);
  EXPECT_EQ(driver.all<StageFinished>(),
            (std::vector<StageFinished>{{JobId{1}, 0}, {JobId{1}, 1}, {JobId{1}, 2}}));
  EXPECT_EQ(driver.all<JobFinished>().size(), 1U);
}

TEST(Dispatch, earlier_stages_come_first) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(2), stage(2, Edge::each)});
  driver.succeed_all();
  EXPECT_EQ(refs(driver.all<StartAttempt>()),
            (std::vector<ChunkRef>{{0, 0}, {0, 1}, {1, 0}, {1, 1}}));
}

TEST(Dispatch, a_stage_that_waits_for_nothing_starts_with_the_job) {
  Driver driver;
  driver.join(1, 8);
  driver.submit(1, {stage(1), stage(1, Edge::none), stage(1, Edge::barrier)});
  EXPECT_EQ(refs(driver.all<StartAttempt>()), (std::vector<ChunkRef>{{0, 0}, {1, 0}}));
  driver.send(AttemptSucceeded{AttemptId{2}});
  EXPECT_EQ(refs({driver.last_start()}), (std::vector<ChunkRef>{{2, 0}}));
}

TEST(Dispatch, empty_jobs_and_stages_finish_at_once) {
  Driver driver;
  driver.submit(1, {});
  driver.submit(2, {stage(0), stage(0, Edge::each), stage(0, Edge::barrier)});
  EXPECT_EQ(driver.history,
            (std::vector<Action>{JobFinished{JobId{1}}, StageFinished{JobId{2}, 0},
                                 StageFinished{JobId{2}, 1}, StageFinished{JobId{2}, 2},
                                 JobFinished{JobId{2}}}));
}

TEST(Dispatch, an_empty_stage_in_the_middle_passes_the_barrier_on) {
  Driver driver;
  driver.join(1, 4);
  driver.submit(1, {stage(1), stage(0, Edge::barrier), stage(1, Edge::barrier)});
  ASSERT_EQ(driver.all<StartAttempt>().size(), 1U);
  const auto actions = driver.succeed_last();
  EXPECT_EQ(Driver::only<StageFinished>(actions).size(), 2U);
  EXPECT_EQ(refs(Driver::only<StartAttempt>(actions)), (std::vector<ChunkRef>{{2, 0}}));
}

TEST(Dispatch, a_worker_that_joins_late_gets_work_at_once) {
  Driver driver;
  driver.submit(1, {stage(5)});
  EXPECT_TRUE(driver.history.empty());
  driver.join(1, 2);
  EXPECT_EQ(driver.all<StartAttempt>().size(), 2U);
  driver.join(2, 2);
  EXPECT_EQ(driver.all<StartAttempt>().size(), 4U);
}

}  // namespace
}  // namespace muster::scheduling
