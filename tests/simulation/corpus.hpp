#pragma once

#include <cstdint>

#include "scenario.hpp"

namespace muster::simulation {

/// Runs that are worth keeping whatever else is played. These are the seeds that give planted bugs
/// away; one that finds a real bug is added with what it found, and stays.
struct NamedSeed {
  const char* name;
  std::uint64_t seed;
  Size size;
  Mode mode;
};

inline constexpr NamedSeed corpus[] = {
    {"a stage waits for a barrier", 3, Size::small, Mode::heals},
    {"a job fails while its chunks run", 4, Size::small, Mode::heals},
    {"a job is cancelled", 5, Size::small, Mode::heals},
    {"cancelled attempts hold their slots while other jobs wait", 13, Size::small, Mode::heals},
    {"a chunk in quarantine", 15, Size::small, Mode::heals},
    {"a few hundred workers, some of them slow", 7, Size::large, Mode::heals},
};

}  // namespace muster::simulation
