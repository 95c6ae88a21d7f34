#include <set>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>
#include <muster/scheduling/chunk_set.hpp>

namespace muster::scheduling {
namespace {

TEST(ChunkSet, agrees_with_an_ordered_set) {
  for (const std::uint32_t size : {1U, 63U, 64U, 65U, 4096U, 4097U, 300000U}) {
    ChunkSet set(size);
    std::set<std::uint32_t> model;
    Random random(size);
    for (int step = 0; step < 2000; ++step) {
      const auto chunk = static_cast<std::uint32_t>(random.below(size));
      if (random.chance(0.5)) {
        set.insert(chunk);
        model.insert(chunk);
      } else {
        set.erase(chunk);
        model.erase(chunk);
      }
      ASSERT_EQ(set.empty(), model.empty()) << "size " << size << " step " << step;
      ASSERT_EQ(set.contains(chunk), model.contains(chunk));
      if (model.empty()) continue;
      ASSERT_EQ(set.first(), *model.begin());
    }
  }
}

TEST(ChunkSet, filled_gives_every_number_once_in_order) {
  for (const std::uint32_t size : {1U, 64U, 65U, 4096U, 5000U, 262145U}) {
    ChunkSet set(size);
    set.fill();
    for (std::uint32_t i = 0; i < size; ++i) {
      ASSERT_EQ(set.first(), i);
      set.erase(i);
    }
    EXPECT_TRUE(set.empty());
  }
}

TEST(ChunkSet, grows_and_keeps_what_is_in_it) {
  Random random(1);
  for (const std::uint32_t first : {0U, 1U, 64U, 65U, 4096U}) {
    ChunkSet set(first);
    std::set<std::uint32_t> model;
    for (std::uint32_t size = first; size < 300'000; size = 2 * size + 63) {
      set.grow(size);
      for (int i = 0; i < 50 && size != 0; ++i) {
        const auto chunk = static_cast<std::uint32_t>(random.below(size));
        set.insert(chunk);
        model.insert(chunk);
      }
    }
    for (const std::uint32_t chunk : model) {
      ASSERT_EQ(set.first(), chunk) << "grown from " << first;
      set.erase(chunk);
    }
    EXPECT_TRUE(set.empty());
  }
}

TEST(ChunkSet, of_size_zero_stays_empty) {
  ChunkSet set(0);
  set.fill();
  EXPECT_TRUE(set.empty());
}

}  // namespace
}  // namespace muster::scheduling
