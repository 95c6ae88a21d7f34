#include <chrono>

#include <gtest/gtest.h>

#include <muster/scheduling/worker_table.hpp>

namespace muster::scheduling {
namespace {

TEST(WorkerTable, picks_the_most_free_slots_then_the_lowest_id) {
  WorkerTable table;
  table.join(WorkerId{5}, 2);
  table.join(WorkerId{3}, 2);
  table.join(WorkerId{9}, 3);
  EXPECT_EQ(table.pick({}), WorkerId{9});
  table.occupy(WorkerId{9}, AttemptId{1});
  EXPECT_EQ(table.pick({}), WorkerId{3});
  table.occupy(WorkerId{3}, AttemptId{2});
  EXPECT_EQ(table.pick({}), WorkerId{5});
  table.vacate(WorkerId{9}, AttemptId{1});
  EXPECT_EQ(table.pick({}), WorkerId{9});
  EXPECT_EQ(table.free_slots(), 6U);
}

TEST(WorkerTable, avoids_a_worker_only_if_there_is_another) {
  WorkerTable table;
  table.join(WorkerId{1}, 8);
  EXPECT_EQ(table.pick(WorkerId{1}), WorkerId{1});
  table.join(WorkerId{2}, 1);
  EXPECT_EQ(table.pick(WorkerId{1}), WorkerId{2});
  EXPECT_EQ(table.pick(WorkerId{2}), WorkerId{1});
}

TEST(WorkerTable, a_worker_that_leaves_takes_its_slots_and_names_its_attempts) {
  WorkerTable table;
  EXPECT_TRUE(table.join(WorkerId{1}, 2));
  EXPECT_FALSE(table.join(WorkerId{1}, 9));
  table.occupy(WorkerId{1}, AttemptId{4});
  EXPECT_EQ(table.free_slots(), 1U);
  const auto left = table.leave(WorkerId{1});
  ASSERT_TRUE(left.has_value());
  EXPECT_EQ(left->running, std::vector<AttemptId>{AttemptId{4}});
  EXPECT_TRUE(left->waiting.empty());
  EXPECT_FALSE(table.leave(WorkerId{1}).has_value());
  EXPECT_EQ(table.free_slots(), 0U);
  EXPECT_FALSE(table.any_room());
  EXPECT_TRUE(table.join(WorkerId{1}, 1));
}

TEST(WorkerTable, what_was_marked_and_runs_takes_the_place_of_one_that_could_run) {
  WorkerTable table;
  table.join(WorkerId{1}, 1, 3);
  for (std::uint64_t id = 1; id <= 3; ++id) table.occupy(WorkerId{1}, AttemptId{id});
  table.mark(WorkerId{1}, AttemptId{3});
  table.mark(WorkerId{1}, AttemptId{2});
  EXPECT_EQ(table.recallable(), std::nullopt);
  table.keep(WorkerId{1}, AttemptId{2});
  EXPECT_EQ(table.recallable(), std::pair(WorkerId{1}, AttemptId{1}));
  table.mark(WorkerId{1}, AttemptId{1});
  EXPECT_EQ(table.recallable(), std::nullopt) << "what is kept is never recalled";
  table.vacate(WorkerId{1}, AttemptId{2});
  table.occupy(WorkerId{1}, AttemptId{4});
  EXPECT_EQ(table.recallable(), std::nullopt) << "the slot is free again";
}

TEST(WorkerTable, holds_more_than_its_slots_if_it_may) {
  WorkerTable table;
  table.join(WorkerId{1}, 1, 2);
  for (std::uint64_t id = 1; id <= 3; ++id) table.occupy(WorkerId{1}, AttemptId{id});
  EXPECT_FALSE(table.any_room());
  EXPECT_EQ(table.free_slots(), 0U);
  EXPECT_EQ(table.recallable(), std::pair(WorkerId{1}, AttemptId{3}));
  table.mark(WorkerId{1}, AttemptId{3});
  EXPECT_EQ(table.recallable(), std::pair(WorkerId{1}, AttemptId{2}));
  table.mark(WorkerId{1}, AttemptId{2});
  EXPECT_EQ(table.recallable(), std::nullopt) << "what runs stays";
  const auto left = table.leave(WorkerId{1});
  EXPECT_EQ(left->running, std::vector<AttemptId>{AttemptId{1}});
  EXPECT_EQ(left->waiting, (std::vector{AttemptId{2}, AttemptId{3}}));
}

TEST(WorkerTable, a_lease_ends_unless_the_worker_is_heard) {
  WorkerTable table(std::chrono::seconds(10));
  const TimePoint start{std::chrono::seconds(100)};
  table.join(WorkerId{1}, 1, 0, start);
  table.join(WorkerId{2}, 1, 0, start);
  EXPECT_EQ(table.next_expiry(), start + std::chrono::seconds(10));
  EXPECT_TRUE(table.hear(WorkerId{1}, start + std::chrono::seconds(4)));
  EXPECT_FALSE(table.hear(WorkerId{3}, start));
  EXPECT_EQ(table.expired(start + std::chrono::seconds(10)), std::vector<WorkerId>{WorkerId{2}});
  table.leave(WorkerId{2});
  EXPECT_EQ(table.next_expiry(), start + std::chrono::seconds(14));
}

TEST(WorkerTable, a_worker_without_slots_is_never_picked) {
  WorkerTable table;
  table.join(WorkerId{1}, 0);
  EXPECT_EQ(table.pick({}), std::nullopt);
  EXPECT_EQ(table.size(), 1U);
}

}  // namespace
}  // namespace muster::scheduling
