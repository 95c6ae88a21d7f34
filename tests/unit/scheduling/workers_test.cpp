// What becomes of attempts when workers are silent, leave, pause, or have too much.
#include <algorithm>

#include <gtest/gtest.h>

#include "driver.hpp"

namespace muster::scheduling {
namespace {

const SchedulerOptions with_lease = {.seed = 1, .back_off = {}, .lease = seconds(10)};

TEST(Lease, without_one_nothing_is_due) {
  Driver driver;
  driver.join(1, 1);
  EXPECT_EQ(driver.scheduler.next_deadline(), std::nullopt);
}

TEST(Lease, its_end_is_the_loss_of_the_worker) {
  Driver driver(with_lease);
  driver.join(1, 2);
  driver.submit(1, {stage(2)});
  EXPECT_EQ(driver.scheduler.next_deadline(), driver.now + seconds(10));
  driver.now += seconds(10);
  EXPECT_EQ(driver.expire(), std::vector<Action>{WorkerExpired{WorkerId{1}}});
  EXPECT_EQ(driver.scheduler.worker_count(), 0U);
  EXPECT_TRUE(driver.send(AttemptSucceeded{AttemptId{1}}).empty()) << "too late";
  EXPECT_EQ(driver.scheduler.counters().stale_results, 1U);
  driver.join(1, 2);
  EXPECT_EQ(driver.last_start().attempt_number, 2U);
}

TEST(Lease, every_sign_of_life_prolongs_it) {
  Driver driver(with_lease);
  driver.join(1, 1);
  driver.now += seconds(9);
  driver.send(WorkerHeard{WorkerId{1}});
  driver.now += seconds(9);
  EXPECT_TRUE(driver.expire().empty());
  driver.send(WorkerHeard{WorkerId{2}});
  EXPECT_EQ(driver.scheduler.counters().ignored_events, 1U) << "of nobody";
  driver.now += seconds(1);
  EXPECT_EQ(driver.expire(), std::vector<Action>{WorkerExpired{WorkerId{1}}});
}

TEST(Drain, the_worker_ends_what_it_has_and_is_released) {
  Driver driver;
  driver.join(1, 1);
  driver.submit(1, {stage(3)});
  EXPECT_TRUE(driver.send(WorkerDraining{WorkerId{1}}).empty());
  EXPECT_EQ(driver.succeed_last(), (std::vector<Action>{ChunkFinished{JobId{1}, 0, 0, AttemptId{1}},
                                                        WorkerReleased{WorkerId{1}}}));
  EXPECT_EQ(driver.all<StartAttempt>().size(), 1U);
  driver.join(1, 1);
  EXPECT_EQ(driver.last_start().chunk, 1U) << "it has joined again";
}

TEST(Drain, an_idle_worker_is_released_at_once) {
  Driver driver;
  driver.join(1, 1);
  EXPECT_EQ(driver.send(WorkerDraining{WorkerId{1}}),
            std::vector<Action>{WorkerReleased{WorkerId{1}}});
  driver.send(WorkerDraining{WorkerId{1}});
  EXPECT_EQ(driver.scheduler.counters().ignored_events, 1U);
}

TEST(Pause, nothing_is_started_until_the_worker_is_resumed) {
  Driver driver;
  driver.join(1, 2);
  driver.send(WorkerPaused{WorkerId{1}});
  driver.submit(1, {stage(1)});
  EXPECT_TRUE(driver.all<StartAttempt>().empty());
  EXPECT_EQ(driver.scheduler.free_slots(), 0U);
  driver.send(WorkerResumed{WorkerId{1}});
  EXPECT_EQ(driver.all<StartAttempt>().size(), 1U);
}

TEST(Ahead, a_worker_gets_as_many_more_as_it_may_hold) {
  Driver driver;
  driver.send(WorkerJoined{WorkerId{1}, 2, 3});
  driver.submit(1, {stage(9)});
  EXPECT_EQ(driver.all<StartAttempt>().size(), 5U);
}

TEST(Ahead, free_slots_elsewhere_come_first) {
  Driver driver;
  driver.send(WorkerJoined{WorkerId{1}, 1, 3});
  driver.send(WorkerJoined{WorkerId{2}, 2, 0});
  driver.submit(1, {stage(4)});
  std::vector<std::uint64_t> workers;
  for (const auto& start : driver.all<StartAttempt>()) workers.push_back(start.worker.value);
  EXPECT_EQ(workers, (std::vector<std::uint64_t>{2, 1, 2, 1}));
}

TEST(Ahead, only_what_ran_is_charged_when_the_worker_is_lost) {
  Driver driver;
  driver.send(WorkerJoined{WorkerId{1}, 1, 2});
  driver.submit(1, {stage(3)});
  driver.send(WorkerLost{WorkerId{1}});
  EXPECT_EQ(driver.scheduler.find_job(JobId{1})->stages[0].retries[FailureCause::worker_lost], 1U);
  driver.join(2, 3);
  std::vector<std::uint32_t> numbers;
  for (const auto& start : driver.all<StartAttempt>()) numbers.push_back(start.attempt_number);
  EXPECT_EQ(numbers, (std::vector<std::uint32_t>{1, 1, 1, 2, 1, 1}));
}

TEST(Ahead, what_waits_is_recalled_for_a_free_slot_and_run_there) {
  Driver driver;
  driver.send(WorkerJoined{WorkerId{1}, 1, 3});
  driver.submit(1, {stage(4)});
  const auto actions = driver.send(WorkerJoined{WorkerId{2}, 2, 0});
  EXPECT_EQ(actions, (std::vector<Action>{RecallAttempt{AttemptId{4}, WorkerId{1}},
                                          RecallAttempt{AttemptId{3}, WorkerId{1}}}));
  driver.send(AttemptReturned{AttemptId{4}});
  EXPECT_EQ(driver.last_start().worker, WorkerId{2});
  EXPECT_EQ(driver.last_start().chunk, 3U);
  EXPECT_EQ(driver.last_start().attempt_number, 1U) << "nothing is held against it";
  EXPECT_EQ(driver.send(AttemptSucceeded{AttemptId{3}}).front(),
            (Action{ChunkFinished{JobId{1}, 0, 2, AttemptId{3}}}))
      << "it had begun: as if it had not been asked";
}

TEST(Ahead, a_recall_that_came_too_late_is_made_up_for_by_another) {
  Driver driver;
  driver.send(WorkerJoined{WorkerId{1}, 1, 3});
  driver.submit(1, {stage(3)});
  EXPECT_EQ(driver.send(WorkerJoined{WorkerId{2}, 1, 0}),
            (std::vector<Action>{RecallAttempt{AttemptId{3}, WorkerId{1}}}));
  EXPECT_EQ(driver.send(AttemptStarted{AttemptId{3}}),
            (std::vector<Action>{RecallAttempt{AttemptId{2}, WorkerId{1}}}));
  EXPECT_TRUE(driver.send(AttemptStarted{AttemptId{3}}).empty()) << "once";
  EXPECT_TRUE(driver.send(AttemptStarted{AttemptId{77}}).empty());
  driver.send(AttemptReturned{AttemptId{2}});
  EXPECT_EQ(driver.last_start().worker, WorkerId{2});
  EXPECT_EQ(driver.last_start().chunk, 1U);
}

TEST(Ahead, nothing_is_recalled_while_chunks_are_ready) {
  Driver driver;
  driver.send(WorkerJoined{WorkerId{1}, 1, 2});
  driver.submit(1, {stage(5)});
  driver.send(WorkerJoined{WorkerId{2}, 1, 0});
  EXPECT_TRUE(driver.all<RecallAttempt>().empty());
  EXPECT_EQ(driver.last_start().worker, WorkerId{2});
}

// Ten chunks of a second each on one of two workers; the second one comes when the last chunk runs.
class Straggling : public testing::Test {
 protected:
  void SetUp() override {
    driver.join(1, 1);
    driver.send(JobSubmitted{JobId{1}, {{.chunk_count = 10, .speculate = true}}});
    for (int i = 0; i < 9; ++i) {
      driver.now += seconds(1);
      driver.succeed_last();
    }
    driver.join(2, 1);
    EXPECT_EQ(driver.all<StartAttempt>().size(), 10U);
  }

  /// Lets so much time pass that the last one is late.
  std::vector<Action> be_late() {
    EXPECT_EQ(driver.scheduler.next_deadline(), driver.now + seconds(3));
    driver.now += seconds(3);
    return driver.expire();
  }

  Driver driver{SchedulerOptions{
      .seed = 1, .back_off = {}, .lease = {}, .speculation = {{seconds(1), 3, 5}}}};
};

TEST_F(Straggling, gets_a_second_attempt_elsewhere_when_it_is_late) {
  EXPECT_EQ(be_late(), std::vector<Action>{(StartAttempt{AttemptId{11}, JobId{1}, 0, 9, WorkerId{2},
                                                         1, false, true})});
  EXPECT_EQ(driver.scheduler.counters().speculative, 1U);
  driver.now += seconds(100);
  EXPECT_TRUE(driver.expire().empty()) << "no third one";
}

TEST_F(Straggling, the_first_result_counts_and_the_other_attempt_is_cancelled) {
  be_late();
  const std::vector<Action> actions = driver.send(AttemptSucceeded{AttemptId{11}});
  EXPECT_EQ(actions, (std::vector<Action>{CancelAttempt{AttemptId{10}, WorkerId{1}},
                                          ChunkFinished{JobId{1}, 0, 9, AttemptId{11}},
                                          StageFinished{JobId{1}, 0},
                                          JobFinished{JobId{1}, Outcome::succeeded, {}}}));
  EXPECT_TRUE(driver.send(AttemptSucceeded{AttemptId{10}}).empty());
  EXPECT_EQ(driver.scheduler.counters().stale_results, 1U);
}

TEST_F(Straggling, a_failure_of_one_is_charged_and_the_other_goes_on) {
  be_late();
  EXPECT_TRUE(driver.send(AttemptFailed{AttemptId{10}, FailureCause::crashed}).empty());
  EXPECT_EQ(driver.scheduler.find_job(JobId{1})->stages[0].running, 1U);
  EXPECT_EQ(driver.send(AttemptSucceeded{AttemptId{11}}).size(), 3U);
}

// Also where there is little to compare with.
TEST_F(Straggling, of_a_small_stage_is_helped_when_three_quarters_have_ended) {
  for (const std::uint32_t chunks : {2U, 3U, 4U, 5U}) {
    Driver small{SchedulerOptions{
        .seed = 1, .back_off = {}, .lease = {}, .speculation = {{seconds(1), 3, 5}}}};
    small.join(1, chunks);
    small.send(JobSubmitted{JobId{1}, {{.chunk_count = chunks, .speculate = true}}});
    small.join(2, 1);
    small.now += seconds(1);
    const std::uint64_t wanted = std::max(1U, chunks * 3 / 4);
    for (std::uint64_t id = 1; id <= wanted; ++id) {
      EXPECT_EQ(small.scheduler.next_deadline(), std::nullopt) << chunks;
      small.send(AttemptSucceeded{AttemptId{id}});
    }
    ASSERT_EQ(small.scheduler.next_deadline(), small.now + seconds(2)) << chunks;
    small.now += seconds(2);
    small.expire();
    EXPECT_EQ(small.scheduler.counters().speculative, 1U) << chunks;
    EXPECT_EQ(small.last_start().chunk, wanted) << "the oldest of those that run";
  }
}

// The free slot is for whoever can use it, not for what could not be recalled.
TEST_F(Straggling, gets_the_slot_for_which_a_recall_came_too_late) {
  Driver ahead{SchedulerOptions{
      .seed = 1, .back_off = {}, .lease = {}, .speculation = {{seconds(1), 3, 5}}}};
  ahead.send(WorkerJoined{WorkerId{1}, 2, 1});
  ahead.send(JobSubmitted{JobId{1}, {{.chunk_count = 10, .speculate = true}}});
  for (std::uint64_t id = 1; id <= 7; ++id) {
    ahead.now += seconds(1);
    ahead.send(AttemptSucceeded{AttemptId{id}});
  }
  ahead.join(2, 1);  // for the last of three
  EXPECT_EQ(ahead.all<RecallAttempt>().size(), 1U);
  ahead.now += seconds(60);
  EXPECT_TRUE(ahead.expire().empty()) << "it may be given back";
  ahead.send(AttemptSucceeded{AttemptId{8}});  // so it runs already
  const std::vector<Action> actions = ahead.send(AttemptStarted{AttemptId{10}});
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(std::get<StartAttempt>(actions[0]).worker, WorkerId{2});
  EXPECT_TRUE(std::get<StartAttempt>(actions[0]).second);
}

TEST_F(Straggling, is_left_alone_by_a_worker_that_has_other_work) {
  driver.submit(2, {stage(1)});
  driver.now += seconds(60);
  EXPECT_TRUE(driver.expire().empty());
  EXPECT_EQ(driver.scheduler.next_deadline(), std::nullopt) << "nothing can be done for it";
  EXPECT_EQ(driver.succeed_last().size(), 4U) << "the second attempt, as soon as there is a slot";
  EXPECT_EQ(driver.last_start().chunk, 9U);
}

class Suspension : public testing::Test {
 protected:
  Driver driver{SchedulerOptions{.seed = 1,
                                 .back_off = {},
                                 .lease = {},
                                 .speculation = {},
                                 .suspension = {{.after = 3, .first = seconds(1)}}}};
};

TEST_F(Suspension, is_not_for_a_chunk_that_fails_again_and_again) {
  driver.join(1, 1);
  driver.submit(1, {stage(4, Edge::none, {.no_space = 9})});
  for (int i = 0; i < 5; ++i) driver.fail_last(FailureCause::no_space);
  EXPECT_TRUE(driver.all<WorkerSuspended>().empty()) << "the chunk may be to blame";
}

TEST_F(Suspension, ends_by_itself_and_is_longer_the_next_time) {
  driver.join(1, 3);
  driver.submit(1, {stage(9, Edge::none, {.out_of_memory = 9})});
  for (std::uint64_t id = 1; id <= 3; ++id)
    driver.send(AttemptFailed{AttemptId{id}, FailureCause::out_of_memory});
  EXPECT_EQ(driver.all<WorkerSuspended>(),
            (std::vector<WorkerSuspended>{{WorkerId{1}, seconds(1)}}));
  const std::size_t before = driver.all<StartAttempt>().size();
  EXPECT_EQ(driver.scheduler.next_deadline(), driver.now + seconds(1));
  driver.now += seconds(1);
  EXPECT_FALSE(driver.expire().empty());
  EXPECT_GT(driver.all<StartAttempt>().size(), before);
  driver.send(AttemptFailed{AttemptId{4}, FailureCause::out_of_memory});
  EXPECT_EQ(driver.all<WorkerSuspended>().back().time, seconds(2));
}

TEST_F(Suspension, is_not_for_errors_of_the_task_and_a_success_clears_the_worker) {
  driver.join(1, 2);
  driver.submit(1, {stage(9, Edge::none, {.task_error = 9, .out_of_memory = 9})});
  for (std::uint64_t id = 1; id <= 6; ++id)
    driver.send(AttemptFailed{AttemptId{id}, FailureCause::task_error});
  driver.send(AttemptFailed{AttemptId{7}, FailureCause::out_of_memory});
  driver.send(AttemptFailed{AttemptId{8}, FailureCause::out_of_memory});
  driver.send(AttemptSucceeded{AttemptId{9}});
  driver.send(AttemptFailed{AttemptId{10}, FailureCause::out_of_memory});
  driver.send(AttemptFailed{AttemptId{11}, FailureCause::out_of_memory});
  EXPECT_TRUE(driver.all<WorkerSuspended>().empty());
}

// Two chunks that keep their output on workers 1 and 2, and two that wait for both.
class LostOutput : public testing::Test {
 protected:
  void SetUp() override {
    driver.join(1, 1);
    driver.join(2, 1);
    driver.send(JobSubmitted{
        JobId{1},
        {{.chunk_count = 2, .keeps_output = true}, {.chunk_count = 2, .edge = Edge::barrier}}});
    driver.send(AttemptSucceeded{AttemptId{1}});
    driver.send(AttemptSucceeded{AttemptId{2}});
    EXPECT_EQ(driver.all<StartAttempt>().size(), 4U);
  }
  const JobProgress& progress() const { return *driver.scheduler.find_job(JobId{1}); }

  Driver driver;
};

TEST_F(LostOutput, is_made_again_before_anything_else_of_the_next_stage_starts) {
  const auto actions = driver.send(WorkerLost{WorkerId{1}});
  EXPECT_EQ(actions, (std::vector<Action>{ChunkReopened{JobId{1}, 0, 0}}));
  EXPECT_EQ(progress().stages[0].done, 1U);
  driver.send(AttemptFailed{AttemptId{4}, FailureCause::input_lost});
  EXPECT_EQ(driver.last_start().stage, 0U) << "what is lost comes first";
  EXPECT_EQ(driver.last_start().attempt_number, 1U);
  const auto again = driver.succeed_last();
  EXPECT_EQ(again.at(1), (Action{StageFinished{JobId{1}, 0}})) << "said again";
  driver.succeed_all();
  EXPECT_EQ(driver.all<JobFinished>().size(), 1U);
  EXPECT_EQ(driver.scheduler.counters().reopened, 1U);
}

TEST_F(LostOutput, is_not_missed_when_the_next_stage_has_what_it_needs) {
  driver.send(AttemptSucceeded{AttemptId{3}});
  driver.send(AttemptSucceeded{AttemptId{4}});
  EXPECT_EQ(driver.all<JobFinished>().size(), 1U);
  EXPECT_TRUE(driver.send(WorkerLost{WorkerId{1}}).empty());
}

TEST_F(LostOutput, of_a_worker_that_lives_is_reported) {
  EXPECT_EQ(driver.send(OutputLost{JobId{1}, 0, 1}),
            (std::vector<Action>{ChunkReopened{JobId{1}, 0, 1}}));
  EXPECT_TRUE(driver.send(OutputLost{JobId{1}, 0, 1}).empty()) << "known already";
  EXPECT_TRUE(driver.send(OutputLost{JobId{1}, 1, 0}).empty()) << "it keeps nothing";
}

TEST_F(LostOutput, keeps_a_draining_worker_until_the_job_has_ended) {
  driver.send(WorkerDraining{WorkerId{1}});
  driver.send(AttemptSucceeded{AttemptId{3}});
  EXPECT_TRUE(driver.all<WorkerReleased>().empty());
  driver.send(AttemptSucceeded{AttemptId{4}});
  EXPECT_EQ(driver.all<WorkerReleased>(), (std::vector<WorkerReleased>{{WorkerId{1}}}));
}

}  // namespace
}  // namespace muster::scheduling
