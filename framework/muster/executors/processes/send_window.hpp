#pragma once

#include <cstddef>
#include <optional>

#include <muster/base/clock.hpp>

namespace muster::detail {

/// How many tasks a process may hold, the one it runs included. Many if they are short, so that
/// neither side waits for the other; few if they are long, since those that wait behind a long one
/// could have run elsewhere. Not thread-safe.
class SendWindow {
 public:
  /// With `prefetch` it is always one more than that.
  explicit SendWindow(std::optional<unsigned> prefetch);

  std::size_t size() const noexcept { return size_; }

  /// The process was idle and now has work.
  void work_begins(TimePoint now) noexcept { measured_from_ = now; }

  /// `count` tasks were answered; `left` are still with it.
  void answered(std::size_t count, std::size_t left, TimePoint now) noexcept;

 private:
  bool is_fixed_;
  std::size_t size_;
  TimePoint measured_from_;
};

}  // namespace muster::detail
