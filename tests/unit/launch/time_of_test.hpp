#pragma once

#include <chrono>

#include <muster/base/clock.hpp>

namespace muster::launch {

/// When tests begin that make up the time.
inline constexpr TimePoint start = TimePoint(std::chrono::seconds(1000));

}  // namespace muster::launch
