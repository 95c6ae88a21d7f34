#pragma once

#include <functional>

#include <muster/base/clock.hpp>

namespace muster::launch {

/// Asks `done` again and again, with pauses of `interval`, until it says yes (then true) or `limit`
/// has passed (then false). It is asked at least once.
bool poll_until(const std::function<bool()>& done, Duration limit, Duration interval);

}  // namespace muster::launch
