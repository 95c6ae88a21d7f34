#include <cstdlib>

#include <gtest/gtest.h>

#include "corpus.hpp"
#include "reference_scheduler.hpp"
#include "world.hpp"

namespace muster::simulation {
namespace {

Report play(std::uint64_t seed, Size size, Mode mode) {
  const Scenario scenario = make_scenario(seed, size, mode);
  RealCore core(scenario.options());
  return World(scenario, core).run();
}

/// Plays the seed twice; false if it broke a promise or was not the same both times.
testing::AssertionResult holds(std::uint64_t seed, Size size, Mode mode, Report& report) {
  report = play(seed, size, mode);
  const Report again = play(seed, size, mode);
  const std::string which = "seed " + std::to_string(seed) +
                            (size == Size::small ? " small" : " large") +
                            (mode == Mode::heals ? " heals: " : " unbounded: ");
  if (!report.violations.empty())
    return testing::AssertionFailure() << which << report.violations.front();
  if (report.trace != again.trace || report.steps != again.steps)
    return testing::AssertionFailure() << which << "two runs differ";
  return testing::AssertionSuccess();
}

/// Sums over many runs, to see that what was to be tested did happen.
struct Totals {
  std::uint64_t steps = 0;
  std::uint64_t commits = 0;
  std::uint64_t stale = 0;
  WorkerCounts workers = {};
  StreamCounts streams = {};
  PerCause<std::uint64_t> failures = {};
  std::map<Outcome, std::uint64_t> outcomes;

  void add(const Report& report) {
    steps += report.steps;
    commits += report.commits;
    stale += report.stale;
    workers.recalled += report.workers.recalled;
    workers.returned += report.workers.returned;
    workers.kept += report.workers.kept;
    workers.expired += report.workers.expired;
    workers.released += report.workers.released;
    workers.speculative += report.workers.speculative;
    workers.overtaken += report.workers.overtaken;
    workers.suspended += report.workers.suspended;
    workers.reopened += report.workers.reopened;
    streams.added += report.streams.added;
    streams.failed += report.streams.failed;
    streams.cancelled += report.streams.cancelled;
    streams.forgotten += report.streams.forgotten;
    for (std::uint32_t i = 0; i < failure_cause_count; ++i)
      failures[static_cast<FailureCause>(i)] += report.failures[static_cast<FailureCause>(i)];
    for (const auto& [outcome, count] : report.outcomes) outcomes[outcome] += count;
  }

  void expect_everything_happened() {
    EXPECT_GT(commits, 0U);
    EXPECT_GT(stale, 0U);
    EXPECT_GT(workers.recalled, 0U);
    EXPECT_GT(workers.returned, 0U);
    EXPECT_GT(workers.kept, 0U);
    EXPECT_GT(workers.expired, 0U);
    EXPECT_GT(workers.released, 0U);
    EXPECT_GT(workers.speculative, 0U);
    EXPECT_GT(workers.overtaken, 0U);
    EXPECT_GT(workers.suspended, 0U);
    EXPECT_GT(workers.reopened, 0U);
    EXPECT_GT(streams.added, 0U);
    EXPECT_GT(streams.failed, 0U);
    EXPECT_GT(streams.cancelled, 0U);
    EXPECT_GT(streams.forgotten, 0U);
    for (std::uint32_t i = 0; i < failure_cause_count; ++i)
      EXPECT_GT(failures[static_cast<FailureCause>(i)], 0U)
          << to_string(static_cast<FailureCause>(i));
    for (const Outcome outcome : {Outcome::succeeded, Outcome::failed, Outcome::cancelled})
      EXPECT_GT(outcomes[outcome], 0U);
  }

  void print() {
    std::printf("  %lu steps, %lu commits, %lu chunks reopened, %lu stale results; ", steps,
                commits, workers.reopened, stale);
    std::printf(
        "%lu recalled, %lu returned, %lu too late, %lu second attempts, %lu of them the first to "
        "succeed; ",
        workers.recalled, workers.returned, workers.kept, workers.speculative, workers.overtaken);
    std::printf("streams: %lu chunks added, %lu failed, %lu cancelled; ", streams.added,
                streams.failed, streams.cancelled);
    std::printf("workers: %lu expired, %lu released, %lu suspended; failures:", workers.expired,
                workers.released, workers.suspended);
    for (std::uint32_t i = 0; i < failure_cause_count; ++i) {
      const auto cause = static_cast<FailureCause>(i);
      std::printf(" %s %lu", std::string(to_string(cause)).c_str(), failures[cause]);
    }
    std::printf("; jobs: succeeded %lu failed %lu cancelled %lu\n", outcomes[Outcome::succeeded],
                outcomes[Outcome::failed], outcomes[Outcome::cancelled]);
  }
};

// A world is played thirty times more slowly under sanitizers: there a tenth of them must do, in
// which not everything happens. The release build plays all and counts what happened.
#ifdef MUSTER_SANITIZED
constexpr std::uint64_t share = 10;
#else
constexpr std::uint64_t share = 1;
#endif

// Long runs play more.
std::uint64_t times_as_many() {
  const char* const times = std::getenv("MUSTER_SIMULATION_TIMES");
  return times == nullptr ? 1 : std::strtoull(times, nullptr, 10);
}

void play_many(std::uint64_t seeds, Size size, Mode mode) {
  Totals totals;
  for (std::uint64_t seed = 1; seed <= seeds * times_as_many() / share; ++seed) {
    Report report;
    ASSERT_TRUE(holds(seed, size, mode, report));
    totals.add(report);
  }
  totals.print();
  if constexpr (share == 1) totals.expect_everything_happened();
}

TEST(Simulation, small_worlds_that_heal) { play_many(350, Size::small, Mode::heals); }
TEST(Simulation, small_worlds_without_mercy) { play_many(150, Size::small, Mode::unbounded); }
TEST(Simulation, large_worlds_that_heal) { play_many(70, Size::large, Mode::heals); }
TEST(Simulation, large_worlds_without_mercy) { play_many(30, Size::large, Mode::unbounded); }

TEST(Simulation, corpus) {
  for (const NamedSeed& named : corpus) {
    Report report;
    EXPECT_TRUE(holds(named.seed, named.size, named.mode, report)) << named.name;
  }
}

TEST(Simulation, different_seeds_are_different_runs) {
  EXPECT_NE(play(1, Size::small, Mode::heals).trace, play(2, Size::small, Mode::heals).trace);
}

/// The real scheduler and the naive one side by side; the world sees the real one's answers.
class Twin : public RealCore {
 public:
  Twin(const SchedulerOptions& options, const SchedulerOptions& of_reference)
      : RealCore(options), reference_(of_reference) {}

  void handle(TimePoint now, const Event& event, std::vector<Action>& actions) override {
    RealCore::handle(now, event, actions);
    std::vector<Action> expected;
    reference_.handle(now, event, expected);
    compare(actions, expected);
  }
  void expire(TimePoint now, std::vector<Action>& actions) override {
    RealCore::expire(now, actions);
    std::vector<Action> expected;
    reference_.expire(now, expected);
    compare(actions, expected);
  }

  std::uint64_t steps() const { return steps_; }
  std::uint64_t differences() const { return differences_; }

 private:
  void compare(const std::vector<Action>& actions, const std::vector<Action>& expected) {
    ++steps_;
    if (actions != expected || next_deadline() != reference_.next_deadline()) ++differences_;
  }

  ReferenceScheduler reference_;
  std::uint64_t steps_ = 0;
  std::uint64_t differences_ = 0;
};

TEST(Simulation, every_decision_is_that_of_the_naive_scheduler) {
  for (const Mode mode : {Mode::heals, Mode::unbounded}) {
    for (std::uint64_t seed = 1000; seed < 1000 + 100 * times_as_many() / share; ++seed) {
      const Scenario scenario = make_scenario(seed, Size::small, mode);
      Twin twin(scenario.options(), scenario.options());
      World(scenario, twin).run();
      ASSERT_GT(twin.steps(), 0U);
      ASSERT_EQ(twin.differences(), 0U) << "seed " << seed;
    }
  }
}

TEST(Simulation, the_comparison_notices_a_different_jitter) {
  std::uint64_t differences = 0;
  for (std::uint64_t seed = 1000; seed < 1020; ++seed) {
    const Scenario scenario = make_scenario(seed, Size::small, Mode::heals);
    SchedulerOptions other = scenario.options();
    ++other.seed;
    Twin twin(scenario.options(), other);
    World(scenario, twin).run();
    differences += twin.differences();
  }
  EXPECT_GT(differences, 0U);
}

}  // namespace
}  // namespace muster::simulation
