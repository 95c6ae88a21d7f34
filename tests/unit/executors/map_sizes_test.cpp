#include <chrono>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/executors/map_sizes.hpp>

namespace muster::detail {
namespace {

using namespace std::chrono_literals;

// What the sizer settles on for inputs that take so long each.
std::size_t settled(ChunkSizer& sizer, Duration each) {
  for (int i = 0; i < 100; ++i) {
    sizer.measured(sizer.chunk(), each * static_cast<Duration::rep>(sizer.chunk()));
  }
  return sizer.chunk();
}

TEST(ChunkSizer, AimsAtAMillisecondOfWork) {
  ChunkSizer sizer({}, 2);
  EXPECT_EQ(sizer.chunk(), 1U) << "nothing is known yet";
  EXPECT_EQ(settled(sizer, 10us), 100U);
  EXPECT_EQ(settled(sizer, 400us), 2U) << "and back";
  EXPECT_EQ(settled(sizer, 1s), 1U);
}

TEST(ChunkSizer, GrowsNoFasterThanTwofold) {
  ChunkSizer sizer({}, 2);
  for (std::size_t expected = 1; expected <= 256; expected *= 2) {
    EXPECT_EQ(sizer.chunk(), expected);
    sizer.measured(sizer.chunk(), 1ns);
  }
}

TEST(ChunkSizer, LeavesWorkForAllWorkers) {
  ChunkSizer sizer({.buffer_size = 800}, 4);
  EXPECT_EQ(settled(sizer, 1ns), 50U) << "four tasks for each";
}

TEST(ChunkSizer, KeepsWhatIsGiven) {
  ChunkSizer sizer({.chunk_size = 7}, 2);
  EXPECT_EQ(settled(sizer, 1s), 7U);
  EXPECT_THROW(ChunkSizer({.chunk_size = 0}, 2), Error);
}

}  // namespace
}  // namespace muster::detail
