#include <algorithm>

#include <muster/executors/processes/send_window.hpp>
#include <muster/executors/processes/shared_area.hpp>

namespace muster::detail {
namespace {

constexpr std::size_t size_min = 2;  // the next task is there when one ends
constexpr Duration work_ahead = std::chrono::microseconds(200);

}  // namespace

SendWindow::SendWindow(std::optional<unsigned> prefetch)
    : is_fixed_(prefetch.has_value()), size_(prefetch ? *prefetch + 1 : size_min) {}

void SendWindow::answered(std::size_t count, std::size_t left, TimePoint now) noexcept {
  const Duration each = (now - measured_from_) / static_cast<Duration::rep>(count);
  measured_from_ = now;
  if (is_fixed_) return;
  const auto fitting = static_cast<std::size_t>(work_ahead / std::max<Duration>(each, Duration(1)));
  // It shrinks at once, and grows only while the process runs dry.
  const std::size_t grown = left <= size_ / 2 ? 2 * size_ : size_;
  size_ = std::clamp<std::size_t>(std::min(fitting, grown), size_min, slots_max);
}

}  // namespace muster::detail
