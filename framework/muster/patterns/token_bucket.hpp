#pragma once

#include <cstdint>

#include <muster/base/clock.hpp>

namespace muster {

/// Says when something may happen, so that it does at a given rate: each time takes a token, of
/// which one comes every `interval`. Up to `burst` are saved, and all of them are there at first.
///
/// A pure value: it reads no clock, and all its arithmetic is exact, in nanoseconds (it is kept as
/// the time at which the bucket is full again: the generic cell rate algorithm). `now` should not
/// go back. Not thread-safe.
class TokenBucket {
 public:
  /// `interval` > 0, `burst` >= 1, and their product is a Duration.
  TokenBucket(Duration interval, std::uint32_t burst) noexcept
      : interval_(interval), capacity_(interval * burst) {}

  /// Takes a token; false if there is none.
  bool try_take(TimePoint now) noexcept {
    if (now < next(now)) return false;
    full_at_ = (is_full(now) ? now : full_at_) + interval_;
    return true;
  }

  /// When there will be a token: `now` if there is one.
  TimePoint next(TimePoint now) const noexcept {
    if (is_full(now)) return now;
    const TimePoint next = full_at_ - capacity_ + interval_;
    return next < now ? now : next;
  }

  /// It has all the tokens that it can have, and so is like a new one.
  bool is_full(TimePoint now) const noexcept { return full_at_ <= now; }

 private:
  Duration interval_;
  Duration capacity_;
  TimePoint full_at_ = TimePoint::min();
};

}  // namespace muster
