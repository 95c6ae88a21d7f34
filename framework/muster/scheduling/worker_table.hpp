#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include <muster/base/ids.hpp>

namespace muster::scheduling {

/// The workers, what occupies their slots, and who has room. Not thread-safe.
///
/// Rationale: the free workers stand in a set ordered by (most free slots, lowest id), so that
/// picking one costs O(log workers) however many there are, and the load spreads by itself.
class WorkerTable {
 public:
  /// False, and nothing changes, if the worker is known already.
  bool join(WorkerId worker, std::uint32_t slots);

  /// Removes the worker and returns the attempts that occupied it; empty if it is unknown.
  std::optional<std::set<AttemptId>> leave(WorkerId worker);

  /// The worker for the next attempt: any but `avoid` if there is a choice. Empty if none is free.
  std::optional<WorkerId> pick(std::optional<WorkerId> avoid) const;

  void occupy(WorkerId worker, AttemptId attempt);  ///< the worker must have a free slot
  void vacate(WorkerId worker, AttemptId attempt);  ///< the attempt must occupy it

  bool any_free() const { return !free_.empty(); }
  std::uint64_t free_slots() const { return free_slots_; }
  std::size_t size() const { return workers_.size(); }

 private:
  struct Worker {
    std::uint32_t free = 0;
    std::set<AttemptId> attempts;
  };

  struct FreeWorker {
    std::uint32_t free;
    WorkerId worker;

    friend std::strong_ordering operator<=>(const FreeWorker& a, const FreeWorker& b) {
      if (a.free != b.free) return b.free <=> a.free;
      return a.worker <=> b.worker;
    }
  };

  void set_free(WorkerId id, Worker& worker, std::uint32_t free);

  std::map<WorkerId, Worker> workers_;
  std::set<FreeWorker> free_;  ///< those with at least one free slot
  std::uint64_t free_slots_ = 0;
};

}  // namespace muster::scheduling
