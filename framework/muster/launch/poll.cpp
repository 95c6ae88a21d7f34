#include <thread>

#include <muster/launch/poll.hpp>

namespace muster::launch {

bool poll_until(const std::function<bool()>& done, Duration limit, Duration interval) {
  const TimePoint deadline = Clock::now() + limit;
  while (!done()) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(interval);
  }
  return true;
}

}  // namespace muster::launch
