#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include <muster/base/clock.hpp>

namespace muster {

/// What it took to end work, from the gentlest to the harshest.
enum class CancelRung : std::uint8_t {
  none,            ///< it had ended already, or nothing allowed could end it
  withdrawn,       ///< it was still in a queue and never ran
  recalled,        ///< it had been sent to a process and never ran
  stop_requested,  ///< it ran, its std::stop_token was triggered, and it ended by itself
  terminated,      ///< its process got SIGTERM and ended (process pools)
  killed,          ///< its process got SIGKILL (process pools)
};

/// The name of a rung, such as "recalled".
std::string_view to_string(CancelRung rung) noexcept;

/// How far Future::stop() may go.
struct StopOptions {
  CancelRung highest = CancelRung::killed;   ///< no harsher rung is climbed
  Duration grace = std::chrono::seconds(1);  ///< for each rung to show effect before the next one
};

}  // namespace muster
