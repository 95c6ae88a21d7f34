#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <set>

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>

namespace muster::scheduling {

/// When an attempt counts as a straggler: it has taken `times` as long as the attempts of its stage
/// that succeeded did on average, and at least `at_least`; once there are `samples` of them, or
/// three quarters of the stage's chunks have ended: also one of two that hangs is helped.
struct SpeculationOptions {
  Duration at_least = std::chrono::seconds(1);
  std::uint32_t times = 2;
  std::uint32_t samples = 5;

  /// For a stage of so many chunks; of a stream, whose chunks are not known, `samples`.
  std::uint64_t samples_of(std::uint64_t chunks) const {
    return std::min<std::uint64_t>(samples, std::max<std::uint64_t>(1, chunks * 3 / 4));
  }
};

/// The attempts of one stage that run alone for their chunk, by their age, and how long others
/// took. Not thread-safe. All steps take O(log) time.
class Stragglers {
 public:
  struct Entry {
    TimePoint started;
    AttemptId attempt;

    friend auto operator<=>(const Entry&, const Entry&) = default;
  };

  void add(const Entry& entry) { running_.insert(entry); }
  void remove(const Entry& entry) { running_.erase(entry); }
  void succeeded(Duration took) {
    total_ += took;
    ++count_;
  }

  /// The oldest attempt, with the time from which on it is a straggler.
  struct Oldest {
    AttemptId attempt;
    TimePoint late_from;
  };
  /// None before there are so many samples.
  std::optional<Oldest> oldest(const SpeculationOptions& options, std::uint64_t samples) const {
    if (running_.empty() || count_ < samples) return std::nullopt;
    const Duration usual = total_ / static_cast<Duration::rep>(count_);
    const Duration limit = std::max(options.at_least, usual * options.times);
    return Oldest{running_.begin()->attempt, running_.begin()->started + limit};
  }

 private:
  std::set<Entry> running_;
  Duration total_{};
  std::uint64_t count_ = 0;
};

}  // namespace muster::scheduling
