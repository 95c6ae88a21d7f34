#include <gtest/gtest.h>

#include "mutants.hpp"
#include "world.hpp"

namespace muster::simulation {
namespace {

constexpr std::uint64_t seeds_max = 60;

/// The first seed that gives the bug away.
std::optional<std::uint64_t> found_at(const Mutation& mutation, std::string& how) {
  for (std::uint64_t seed = 1; seed <= seeds_max; ++seed) {
    const Scenario scenario = make_scenario(seed, Size::small, Mode::heals);
    const auto core = mutation.make(scenario.options());
    const Report report = World(scenario, *core).run();
    if (report.violations.empty()) continue;
    how = report.violations.front();
    return seed;
  }
  return std::nullopt;
}

TEST(PlantedBugs, every_one_is_found) {
  ASSERT_GE(mutations().size(), 40U);
  for (const Mutation& mutation : mutations()) {
    std::string how;
    const auto seed = found_at(mutation, how);
    EXPECT_TRUE(seed.has_value()) << mutation.name << " was not found";
    if (seed)
      std::printf("  %-46s seed %2lu, %s\n", std::string(mutation.name).c_str(), *seed,
                  how.c_str());
  }
}

TEST(PlantedBugs, without_one_nothing_is_found) {
  std::string how;
  const Mutation none{"none", [](const SchedulerOptions& options) -> std::unique_ptr<Core> {
                        return std::make_unique<RealCore>(options);
                      }};
  EXPECT_EQ(found_at(none, how), std::nullopt) << how;
}

}  // namespace
}  // namespace muster::simulation
