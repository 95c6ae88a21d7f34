#include <algorithm>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/launch/adapt_policy.hpp>

namespace muster::launch {

AdaptPolicy::AdaptPolicy(const Options& options) : options_(options), wanted_(options.min) {
  if (options.min > options.max || options.max == 0) {
    throw Error(ErrorCode::usage,
                fmt::format("from {} to {} workers is no range", options.min, options.max));
  }
}

unsigned AdaptPolicy::useful(const Load& load, const PilotCounts& pilots) const {
  std::uint64_t slots = options_.slots_per_worker;
  // Those that have joined are at most those that run.
  if (slots == 0) slots = load.slots / std::max(pilots.running, 1U);
  slots = std::max<std::uint64_t>(slots, 1);
  const std::uint64_t workers = load.open_calls / slots + (load.open_calls % slots != 0 ? 1 : 0);
  return static_cast<unsigned>(std::clamp<std::uint64_t>(workers, options_.min, options_.max));
}

void AdaptPolicy::grow(TimePoint now, unsigned useful) {
  if (now < may_grow_at_) return;
  const unsigned step = std::max(wanted_, options_.grow_step_min);
  wanted_ += std::min(useful - wanted_, step);
  may_grow_at_ = now + options_.grow_every;
}

void AdaptPolicy::shrink(TimePoint now, unsigned useful) {
  if (!too_many_since_) {
    too_many_since_ = now;
    most_useful_ = useful;
  }
  most_useful_ = std::max(most_useful_, useful);
  if (now - *too_many_since_ < options_.shrink_after) return;
  wanted_ = most_useful_;
  too_many_since_.reset();
}

unsigned AdaptPolicy::wanted(TimePoint now, const std::optional<Load>& load,
                             const PilotCounts& pilots) {
  if (!load) {
    too_many_since_.reset();
    return wanted_;
  }
  const unsigned target = useful(*load, pilots);
  constexpr unsigned tenth = 10;
  const bool is_idle = target == options_.min;
  if (target > wanted_) {
    too_many_since_.reset();
    grow(now, target);
  } else if (target < wanted_ && (is_idle || wanted_ - target > wanted_ / tenth)) {
    shrink(now, target);
  } else {
    too_many_since_.reset();
  }
  return wanted_;
}

}  // namespace muster::launch
