#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

#include <muster/base/clock.hpp>

namespace muster::detail {

/// Gives the CPU to another thread that is known to wait for it, and will give it back soon. On a
/// busy machine somebody else may get it, for milliseconds: after that has happened, the next calls
/// do nothing, twice as many each time. Not thread-safe.
class AdaptiveYield {
 public:
  void operator()() {
    if (skips_ != 0) {
      --skips_;
      return;
    }
    const TimePoint before = Clock::now();
    std::this_thread::yield();
    if (Clock::now() - before <= soon) {
      next_skips_ = skips_min;
    } else {
      skips_ = next_skips_;
      next_skips_ = std::min(2 * next_skips_, skips_max);
    }
  }

 private:
  static constexpr Duration soon = std::chrono::microseconds(200);
  static constexpr std::uint32_t skips_min = 16;
  static constexpr std::uint32_t skips_max = 4096;

  std::uint32_t skips_ = 0;
  std::uint32_t next_skips_ = skips_min;
};

}  // namespace muster::detail
