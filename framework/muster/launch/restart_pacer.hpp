#pragma once

#include <chrono>

#include <muster/base/clock.hpp>

namespace muster::launch {

/// When workers that are missing may be started: at once, unless those that were started last have
/// ended soon after, or could not be started; then after a pause that doubles each time. So a
/// worker that cannot live costs little, and one that has died of something else is replaced
/// immediately. Pure: told of the time. Not thread-safe.
class RestartPacer {
 public:
  struct Options {
    Duration soon = std::chrono::seconds(30);  ///< who ends within this after a start has failed
    Duration pause_min = std::chrono::seconds(1);
    Duration pause_max = std::chrono::minutes(5);
  };

  RestartPacer() = default;
  explicit RestartPacer(const Options& options) : options_(options) {}

  /// Whether `missing` workers may be started now. 0 missing for longer than `soon` after a start
  /// forgets what was before.
  bool may_start(TimePoint now, unsigned missing);
  /// Some were started, or that was tried.
  void started(TimePoint now) noexcept {
    last_start_ = now;
    is_judged_ = false;
  }
  /// When to look again, if may_start() has just said no.
  TimePoint next_start() const noexcept { return next_start_; }

 private:
  Options options_ = {};
  TimePoint last_start_ = TimePoint::min();
  TimePoint next_start_ = TimePoint::min();
  Duration pause_ = Duration::zero();
  bool is_judged_ = true;
};

}  // namespace muster::launch
