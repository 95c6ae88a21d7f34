#include "lives.hpp"

#include <cstdio>

#include <gtest/gtest.h>

namespace muster::simulation {
namespace {

#ifdef MUSTER_SANITIZED
constexpr std::uint64_t share = 10;
#else
constexpr std::uint64_t share = 1;
#endif

struct Totals {
  std::uint64_t runs = 0;
  std::uint64_t crashes = 0;
  std::uint64_t stale_sent = 0;
  std::uint64_t stale_refused = 0;
  std::uint64_t cuts = 0;
  std::uint64_t rounds = 0;

  void add(const LivesReport& report) {
    ++runs;
    crashes += report.crashes;
    stale_sent += report.stale_sent;
    stale_refused += report.stale_refused;
    cuts += report.cuts;
    rounds += report.rounds;
  }
  void print() const {
    std::printf(
        "  %lu runs, %lu rounds, %lu crashes, %lu connections cut, %lu frames of earlier "
        "lives sent, %lu refused\n",
        runs, rounds, crashes, cuts, stale_sent, stale_refused);
  }
};

testing::AssertionResult holds(const LivesPlan& plan, Totals& totals) {
  const LivesReport report = Lives(plan).run();
  totals.add(report);
  if (report.violations.empty()) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "seed " << plan.seed << " crash at " << plan.crash_at.value_or(0) << ": "
         << report.violations.front();
}

TEST(Lives, without_faults_run_each_chunk_once) {
  const LivesReport report = Lives({.seed = 1, .crash_at = {}}).run();
  EXPECT_TRUE(report.violations.empty()) << report.violations.front();
  EXPECT_EQ(report.calls, 22U) << "20 to map, two to reduce";
  EXPECT_EQ(report.crashes, 0U);
  EXPECT_EQ(report.stale_refused, 0U);
}

// The coordinator is killed in its n-th round, for every n and at each point of that; all that was
// on the way comes late.
TEST(Lives, that_end_at_any_round_lose_nothing) {
  Totals totals;
  const std::uint64_t rounds = Lives({.seed = 1, .crash_at = {}}).run().rounds;
  ASSERT_GT(rounds, 30U);
  for (std::uint64_t at = 1; at <= rounds; at += share) {
    for (const Moment moment :
         {Moment::before_commit, Moment::before_sending, Moment::after_sending}) {
      ASSERT_TRUE(holds({.seed = 1, .crash_at = at, .moment = moment, .stale_rate = 1}, totals));
    }
  }
  EXPECT_EQ(totals.crashes, totals.runs);
  EXPECT_GT(totals.stale_sent, 0U);
  EXPECT_EQ(totals.stale_refused, totals.stale_sent);
  totals.print();
}

LivesPlan restless(std::uint64_t seed) {
  return {.seed = seed,
          .crash_at = {},
          .crash_rate = 0.05,
          .stale_rate = 0.7,
          .cut_rate = seed % 2 == 0 ? 0.01 : 0};
}

TEST(Lives, that_end_again_and_again_lose_nothing) {
  Totals totals;
  for (std::uint64_t seed = 1; seed <= 1000 / share; ++seed)
    ASSERT_TRUE(holds(restless(seed), totals));
  EXPECT_GE(totals.crashes, totals.runs);
  EXPECT_GT(totals.stale_sent, totals.runs / 2);
  EXPECT_EQ(totals.stale_refused, totals.stale_sent) << "all, and nothing else";
  EXPECT_GT(totals.cuts, 0U);
  totals.print();
}

TEST(Lives, of_a_seed_are_the_same_each_time) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const LivesReport first = Lives(restless(seed)).run();
    const LivesReport again = Lives(restless(seed)).run();
    EXPECT_EQ(first.rounds, again.rounds) << seed;
    EXPECT_EQ(first.calls, again.calls) << seed;
    EXPECT_EQ(first.stale_refused, again.stale_refused) << seed;
  }
}

TEST(Lives, that_say_what_is_not_in_the_journal_are_found_out) {
  std::uint64_t found = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    LivesPlan plan = restless(seed);
    plan.says_too_early = true;
    found += Lives(plan).run().violations.size();
  }
  EXPECT_GT(found, 0U);
}

}  // namespace
}  // namespace muster::simulation
