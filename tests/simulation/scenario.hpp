#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core.hpp"

namespace muster::simulation {

enum class Size : std::uint8_t { small, large };

/// heals: the faults stop after a while, and everything must come to its end. unbounded: they never
/// stop, and only safety is asked for.
enum class Mode : std::uint8_t { heals, unbounded };

struct PlannedWorker {
  WorkerId id;
  std::uint32_t slots = 1;
  std::uint32_t ahead = 0;
  int slowness = 1;  ///< how many times longer than usual its attempts take
};

struct PlannedJob {
  JobId id;
  Duration at{};
  JobSpec spec;
  JobRank rank;
  std::vector<RestoredChunk> restored = {};
};

/// A stream grows, or is sealed.
struct PlannedGrowth {
  JobId job;
  Duration at{};
  std::optional<std::uint32_t> count;  ///< none: it is sealed
};

/// All that a seed decides before a run: who takes part, what is to be done, how much goes wrong.
struct Scenario {
  std::uint64_t seed = 0;
  Mode mode = Mode::heals;
  std::vector<PlannedWorker> workers;
  std::vector<PlannedJob> jobs;
  std::vector<PlannedGrowth> growths;  ///< of those jobs that are streams
  double fault_rate = 0;               ///< of attempts that fail by chance
  double hopeless_rate = 0;            ///< of those, with a cause that is not retried by default
  double poison_rate = 0;              ///< of chunks that always fail
  double duplicate_rate = 0;  ///< of results that arrive twice, the second one perhaps different
  double delay_rate = 0;      ///< of results that arrive late
  double loss_rate = 0;       ///< of chaotic moments at which workers are lost
  double cancel_rate = 0;     ///< of chaotic moments at which a job is cancelled
  double freeze_rate = 0;     ///< of chaotic moments at which a worker stands still for a while
  double sick_rate = 0;       ///< of chaotic moments at which a worker begins to fail everything
  double drain_rate = 0;      ///< of chaotic moments at which a worker is drained, or paused
  std::optional<Duration> lease;
  bool speculates = false;
  bool suspends = false;
  Duration heal_after{};
  std::uint64_t steps_max = 0;

  /// For the core that is to play it.
  SchedulerOptions options() const;

  /// The cause with which the chunk always fails, if it is poisoned.
  std::optional<FailureCause> poison(JobId job, ChunkRef ref) const;
};

Scenario make_scenario(std::uint64_t seed, Size size, Mode mode);

}  // namespace muster::simulation
