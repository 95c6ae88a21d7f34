#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/scheduling/suspension.hpp>

namespace muster::scheduling {

/// The workers, what they have, who has room, and whose lease is over. Not thread-safe.
///
/// Rationale: the workers with room stand in a set ordered by (most free slots, lowest id), so that
/// picking one costs O(log workers) however many there are, and the load spreads by itself. So do
/// those that have more than they can run at a time, and those that may expire.
class WorkerTable {
 public:
  /// What a worker that is gone had.
  struct Left {
    std::vector<AttemptId> running;  ///< as many as it has slots: the oldest
    std::vector<AttemptId> waiting;
  };

  /// `lease`: how long a worker is believed in without a sign of life; none: for ever.
  explicit WorkerTable(std::optional<Duration> lease = std::nullopt) : lease_(lease) {}

  // All of these: false, or empty, and nothing changes, if the worker is unknown; of join() if it
  // is known already, of the next two if it was so before.
  bool join(WorkerId id, std::uint32_t slots, std::uint32_t ahead = 0, TimePoint now = {});
  bool drain(WorkerId id);
  bool pause(WorkerId id, bool paused);
  bool hear(WorkerId id, TimePoint now);
  void suspend(WorkerId id, TimePoint until);  ///< nothing more is started there before; known
  void end_suspensions(TimePoint now);
  std::optional<Left> leave(WorkerId id);

  /// The worker for the next attempt: any but `avoid` if there is a choice. Empty if none has room.
  std::optional<WorkerId> pick(std::optional<WorkerId> avoid) const;

  /// The one with the most free slots that is another, empty if it has none.
  std::optional<WorkerId> pick_idle(WorkerId other) const;

  void occupy(WorkerId id, AttemptId attempt);  ///< the worker must have room
  void vacate(WorkerId id, AttemptId attempt);  ///< it must be there
  void mark(WorkerId id, AttemptId attempt);    ///< it is not to be recalled any more
  void keep(WorkerId id, AttemptId attempt);    ///< it was marked, but occupies a slot: it runs

  /// An attempt that waits at a worker which has more than it can run: of the worker with the most
  /// such the newest one.
  std::optional<std::pair<WorkerId, AttemptId>> recallable() const;

  bool any_room() const { return !open_.empty(); }
  std::uint64_t free_slots() const { return free_slots_; }  ///< of workers that take attempts
  std::size_t size() const { return workers_.size(); }
  bool contains(WorkerId id) const { return workers_.contains(id); }

  /// Those that drain and have nothing left, by id; whoever asks makes them leave.
  const std::set<WorkerId>& drained() const { return drained_; }

  std::vector<WorkerId> expired(TimePoint now) const;  ///< by id
  std::optional<TimePoint> next_expiry() const;
  std::optional<TimePoint> next_suspension_end() const;
  Conduct& conduct(WorkerId worker) { return workers_.at(worker).conduct; }

 private:
  struct Worker {
    std::uint32_t slots = 0;
    std::uint32_t ahead = 0;
    bool draining = false;
    bool paused = false;
    std::optional<TimePoint> suspended_until;
    TimePoint expires;
    Conduct conduct;
    std::set<AttemptId> attempts;
    std::set<AttemptId> steady;  ///< those that could be recalled
    std::set<AttemptId> kept;    ///< those that could not: few

    std::int64_t free() const {
      return std::int64_t{slots} - static_cast<std::int64_t>(attempts.size());
    }
    bool has_room() const {
      return !draining && !paused && !suspended_until && free() + std::int64_t{ahead} > 0;
    }
    std::uint64_t free_slots() const {
      return has_room() && free() > 0 ? static_cast<std::uint64_t>(free()) : 0;
    }
    /// How many of those that wait could be recalled.
    std::int64_t surplus() const {
      const auto could = static_cast<std::int64_t>(steady.size());
      return std::min(could, could + static_cast<std::int64_t>(kept.size()) - std::int64_t{slots});
    }
  };

  struct Ranked {
    std::int64_t rank;  ///< the highest first
    WorkerId worker;

    friend std::strong_ordering operator<=>(const Ranked& a, const Ranked& b) {
      if (a.rank != b.rank) return b.rank <=> a.rank;
      return a.worker <=> b.worker;
    }
  };

  using WorkerMap = std::map<WorkerId, Worker>;
  Worker* find(WorkerId id);
  void take_out(WorkerId id, const Worker& worker);
  void put_in(WorkerId id, const Worker& worker);
  /// Changes what the sets go by.
  template <class Make>
  void change(WorkerId id, Worker& worker, Make make) {
    take_out(id, worker);
    make();
    put_in(id, worker);
  }

  std::optional<Duration> lease_;
  WorkerMap workers_;
  std::set<Ranked> open_;      ///< those with room, by free slots
  std::set<Ranked> overfull_;  ///< those with a surplus, by that
  std::set<WorkerId> drained_;
  std::set<std::pair<TimePoint, WorkerId>> leases_;
  std::set<std::pair<TimePoint, WorkerId>> suspended_;
  std::uint64_t free_slots_ = 0;
};

}  // namespace muster::scheduling
