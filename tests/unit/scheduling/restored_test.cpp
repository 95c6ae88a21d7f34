// Jobs that an earlier life has begun.
#include <gtest/gtest.h>

#include "driver.hpp"

namespace muster::scheduling {
namespace {

JobSpec map_and_reduce() {
  return {{.chunk_count = 3, .keeps_output = true}, {.chunk_count = 2, .edge = Edge::barrier}};
}

TEST(Restored, ChunksAreNotRunAgain) {
  Driver driver;
  driver.join(1, 4);
  driver.send(JobSubmitted{JobId{1}, {stage(3)}, {}, {{0, 0, {}}, {0, 2, {}}}});
  ASSERT_EQ(driver.all<StartAttempt>().size(), 1U);
  EXPECT_EQ(driver.last_start().chunk, 1U);
  const auto end = Driver::only<JobFinished>(driver.succeed_last());
  ASSERT_EQ(end.size(), 1U);
  EXPECT_EQ(end[0].outcome, Outcome::succeeded);
  EXPECT_EQ(driver.all<ChunkFinished>().size(), 1U) << "no commit is granted for the others";
}

TEST(Restored, AJobWithNothingLeftToDoEndsAtOnce) {
  Driver driver;
  const auto actions = driver.send(JobSubmitted{JobId{1}, {stage(1)}, {}, {{0, 0, {}}}});
  EXPECT_EQ(Driver::only<StageFinished>(actions).size(), 1U);
  EXPECT_EQ(Driver::only<JobFinished>(actions).size(), 1U);
}

TEST(Restored, WhatTheyLeftIsRunAgainWhenItsWorkerGoes) {
  Driver driver;
  driver.join(1, 1);
  driver.join(2, 1);
  driver.send(JobSubmitted{JobId{1},
                           map_and_reduce(),
                           {},
                           {{0, 0, WorkerId{1}}, {0, 1, WorkerId{2}}, {0, 2, WorkerId{2}}}});
  EXPECT_EQ(driver.all<StageFinished>().size(), 1U);
  EXPECT_EQ(driver.last_start().stage, 1U);
  const auto actions = driver.send(WorkerLost{WorkerId{2}});
  const auto reopened = Driver::only<ChunkReopened>(actions);
  ASSERT_EQ(reopened.size(), 2U);
  EXPECT_EQ(reopened[0].chunk, 1U);
  EXPECT_EQ(reopened[1].chunk, 2U);
}

TEST(Restored, WhatMakesNoSenseIsIgnoredAndCounted) {
  Driver driver;
  driver.join(1, 9);
  driver.send(JobSubmitted{JobId{1},
                           {stage(2)},
                           {},
                           {{0, 2, {}}, {1, 0, {}}, {0, 1, WorkerId{7}}, {0, 0, {}}, {0, 0, {}}}});
  EXPECT_EQ(driver.all<StartAttempt>().size(), 1U) << "chunk 1: its worker is not known";
  EXPECT_EQ(driver.scheduler.counters().ignored_events, 4U);
}

TEST(Restored, ChunksBehindAnEachEdgeStartWhereTheOnesBeforeAreDone) {
  Driver driver;
  driver.join(1, 9);
  driver.send(JobSubmitted{
      JobId{1}, {stage(3), stage(3, Edge::each)}, {}, {{0, 1, {}}, {0, 2, {}}, {1, 2, {}}}});
  const auto starts = driver.all<StartAttempt>();
  ASSERT_EQ(starts.size(), 2U);
  EXPECT_EQ(starts[0].chunk, 0U);
  EXPECT_EQ(starts[1].stage, 1U);
  EXPECT_EQ(starts[1].chunk, 1U);
}

}  // namespace
}  // namespace muster::scheduling
