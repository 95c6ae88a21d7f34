#pragma once

#include <chrono>

namespace muster {

/// The clock of every deadline and duration. Wall-clock time appears only in reports.
using Clock = std::chrono::steady_clock;
/// A moment of Clock. Deadlines are these; they mean nothing in another process.
using TimePoint = Clock::time_point;
/// A length of time in nanoseconds; every std::chrono literal that is exact converts to it.
using Duration = std::chrono::nanoseconds;

/// The point in time `timeout` after `now`; TimePoint::max() if that is too far to be represented.
inline TimePoint deadline_after(TimePoint now, Duration timeout) noexcept {
  return timeout >= TimePoint::max() - now ? TimePoint::max() : now + timeout;
}

}  // namespace muster
