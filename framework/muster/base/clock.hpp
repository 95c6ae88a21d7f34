#pragma once

#include <chrono>

namespace muster {

/// The clock of every deadline and duration. Wall-clock time appears only in reports.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = std::chrono::nanoseconds;

}  // namespace muster
