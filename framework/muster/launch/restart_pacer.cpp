#include <algorithm>

#include <muster/launch/restart_pacer.hpp>

namespace muster::launch {

bool RestartPacer::may_start(TimePoint now, unsigned missing) {
  const bool is_soon = last_start_ != TimePoint::min() && now - last_start_ < options_.soon;
  if (missing == 0) {
    if (!is_soon) pause_ = Duration::zero();
    return false;
  }
  if (!is_judged_) {
    is_judged_ = true;
    if (is_soon) {
      pause_ = std::clamp(2 * pause_, options_.pause_min, options_.pause_max);
      next_start_ = now + pause_;
    } else {
      pause_ = Duration::zero();
    }
  }
  return now >= next_start_;
}

}  // namespace muster::launch
