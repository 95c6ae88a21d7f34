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
  EXPECT_EQ(table.leave(WorkerId{1}), std::set<AttemptId>{AttemptId{4}});
  EXPECT_EQ(table.leave(WorkerId{1}), std::nullopt);
  EXPECT_EQ(table.free_slots(), 0U);
  EXPECT_FALSE(table.any_free());
  EXPECT_TRUE(table.join(WorkerId{1}, 1));
}

TEST(WorkerTable, a_worker_without_slots_is_never_picked) {
  WorkerTable table;
  table.join(WorkerId{1}, 0);
  EXPECT_EQ(table.pick({}), std::nullopt);
  EXPECT_EQ(table.size(), 1U);
}

}  // namespace
}  // namespace muster::scheduling
