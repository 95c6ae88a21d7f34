#include <utility>

#include <muster/cluster/coordinator/coordinator.hpp>

namespace muster::cluster {
namespace {

// So that what has arrived is answered before all that there is was read.
constexpr int frames_a_round = 256;

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options, transport::Listener& listener,
                         std::filesystem::path code_directory)
    : listener_(listener), store_(std::move(code_directory)), core_(std::move(options), store_) {}

void Coordinator::stop() noexcept {
  stopping_.store(true);
  listener_.wake();
}

void Coordinator::run() {
  while (!stopping_.load()) {
    listener_.wait(core_.next_deadline());
    const TimePoint now = Clock::now();
    take_frames(now);
    core_.expire(now);
    send(core_.take_frames(now));
  }
  const TimePoint now = Clock::now();
  core_.end(now, "it was told to stop");
  send(core_.take_frames(now));
}

void Coordinator::take_frames(TimePoint now) {
  transport::Listener::Arrived arrived;
  for (int i = 0; i < frames_a_round && listener_.receive(arrived); ++i) {
    core_.receive(now, arrived.peer, arrived.user, arrived.bytes);
  }
}

void Coordinator::send(CoordinatorCore::Frames&& frames) {
  for (const auto& [peer, frame] : frames) {
    // What a peer does not keep up with is dropped, and asked for again by its channel.
    if (listener_.send(peer, frame) == transport::Listener::Sent::gone) core_.gone(peer);
  }
}

}  // namespace muster::cluster
