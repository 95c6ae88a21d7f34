#include <array>
#include <cstdint>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>

namespace muster {
namespace {

TEST(Random, is_splitmix64) {
  Random random(1234567);  // the values of the reference implementation
  EXPECT_EQ(random.next(), 6457827717110365317U);
  EXPECT_EQ(random.next(), 3203168211198807973U);
  EXPECT_EQ(random.next(), 9817491932198370423U);
}

TEST(Random, repeats_for_a_seed_and_differs_between_seeds) {
  Random a(5);
  Random b(5);
  Random c(6);
  int equal = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = a.next();
    ASSERT_EQ(value, b.next());
    equal += value == c.next() ? 1 : 0;
  }
  EXPECT_EQ(equal, 0);
}

TEST(Random, below_stays_in_bounds_and_reaches_them) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(random.below(1), 0U);
    EXPECT_LT(random.below(UINT64_MAX), UINT64_MAX);
  }
  std::array<int, 10> seen{};
  for (int i = 0; i < 10000; ++i) ++seen[random.below(10)];
  for (const int count : seen) {
    EXPECT_GT(count, 850);
    EXPECT_LT(count, 1150);
  }
}

TEST(Random, unit_and_chance) {
  Random random(2);
  double sum = 0;
  int hits = 0;
  for (int i = 0; i < 10000; ++i) {
    const double value = random.unit();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
    hits += random.chance(0.25) ? 1 : 0;
    EXPECT_FALSE(random.chance(0.0));
    EXPECT_TRUE(random.chance(1.0));
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.02);
  EXPECT_NEAR(hits, 2500, 200);
}

}  // namespace
}  // namespace muster
