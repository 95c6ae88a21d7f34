#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include <muster/base/clock.hpp>

namespace muster::launch {

/// What a cluster has to do, as its coordinator sees it.
struct Load {
  std::uint64_t open_calls = 0;  ///< that have not ended: those that run and those that wait
  std::uint64_t slots = 0;       ///< of all workers that have joined
};

/// Workers by how far they are.
struct PilotCounts {
  unsigned running = 0;  ///< those that may run, but do not answer, too
  unsigned pending = 0;
};

/// How many workers a cluster wants, by its backlog: enough that each open call has a slot, within
/// limits. It grows at once, but by no more than to the double (and `grow_step_min`) in each
/// `grow_every`, since a burst may be over before a pilot has come. It shrinks when it has had too
/// many for `shrink_after` without a break, and then only to the most that were of use in that
/// time: so a load that goes up and down does not start and end a worker each time. A difference of
/// less than a tenth is let be. Pure: told of the time. Not thread-safe.
class AdaptPolicy {
 public:
  struct Options {
    unsigned min = 0;
    unsigned max = 1;
    unsigned slots_per_worker = 0;  ///< 0: as many as those have that have joined; 1 before any has
    unsigned grow_step_min = 4;
    Duration grow_every = std::chrono::seconds(10);
    Duration shrink_after = std::chrono::minutes(2);
  };

  /// Throws Error(usage) if min > max or max is 0.
  explicit AdaptPolicy(const Options& options);

  /// How many there should be now, `min` to `max`. Without a load (nobody knows it) as many as
  /// before.
  unsigned wanted(TimePoint now, const std::optional<Load>& load, const PilotCounts& pilots);

 private:
  unsigned useful(const Load& load, const PilotCounts& pilots) const;
  void grow(TimePoint now, unsigned useful);
  void shrink(TimePoint now, unsigned useful);

  Options options_;
  unsigned wanted_;
  TimePoint may_grow_at_ = TimePoint::min();
  std::optional<TimePoint> too_many_since_;
  unsigned most_useful_ = 0;  ///< since then
};

}  // namespace muster::launch
