#pragma once

#include <algorithm>
#include <chrono>

#include <muster/base/clock.hpp>
#include <muster/base/futex.hpp>

namespace muster::detail {

/// Looks for something for a little while before its owner goes to sleep, since waking a sleeper
/// costs tens of microseconds at both ends. The time is short, and shrinks while it finds nothing,
/// because the machine may have no core to spare. Not thread-safe.
class AdaptiveSpin {
 public:
  /// Disabled where there is one CPU only: there, spinning just keeps the other side from running.
  explicit AdaptiveSpin(bool enabled) : enabled_(enabled) {}

  /// True as soon as `ready()` is; false when the time is over, which is `at_least` if that is
  /// longer: for what is known to be on its way.
  template <class Ready>
  bool until(Ready&& ready, Duration at_least = Duration::zero()) {
    if (!enabled_) return ready();
    const TimePoint end = Clock::now() + std::max(budget_, at_least);
    do {
      for (unsigned i = 0; i < looks_per_clock_read; ++i) {
        if (ready()) {
          budget_ = budget_max;
          return true;
        }
        cpu_relax();
      }
    } while (Clock::now() < end);
    ++misses_;
    // Now and then the whole budget, or the spin would never learn that it pays again.
    budget_ = misses_ % probe_interval == 0 ? budget_max : std::max(budget_ / 2, budget_min);
    return false;
  }

 private:
  static constexpr unsigned looks_per_clock_read = 16;
  static constexpr unsigned probe_interval = 16;
  static constexpr Duration budget_max = std::chrono::microseconds(40);
  static constexpr Duration budget_min = std::chrono::microseconds(2);

  bool enabled_;
  Duration budget_ = budget_max;
  unsigned misses_ = 0;
};

}  // namespace muster::detail
