#include <algorithm>
#include <utility>

#include <muster/cluster/coordinator/coordinator.hpp>

namespace muster::cluster {
namespace {

// So that what has arrived is answered before all that there is was read.
constexpr int frames_a_round = 256;

// How soon a revoked key is put out.
constexpr Duration look_at_keys_every = std::chrono::seconds(1);

CoordinatorOptions with_keys(CoordinatorOptions options, AuthorizedKeys* keys) {
  if (keys != nullptr) {
    options.sessions.may_be = [keys](std::string_view user, wire::Role role) {
      return keys->may_be(user, role);
    };
  }
  return options;
}

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options, transport::Listener& listener,
                         std::filesystem::path code_directory, AuthorizedKeys* keys)
    : listener_(listener),
      keys_(keys),
      store_(std::move(code_directory)),
      core_(with_keys(std::move(options), keys), store_) {}

void Coordinator::stop() noexcept {
  stopping_.store(true);
  listener_.wake();
}

void Coordinator::run() {
  while (!stopping_.load()) {
    listener_.wait(next_deadline());
    const TimePoint now = Clock::now();
    take_frames(now);
    if (keys_ != nullptr && look_at_keys_ <= now) {
      look_at_keys_ = now + look_at_keys_every;
      if (keys_->has_changed()) core_.recheck_keys(now);
    }
    core_.expire(now);
    send(core_.take_frames(now));
  }
  core_.end("it was told to stop");
  send(core_.take_frames(Clock::now()));
}

std::optional<TimePoint> Coordinator::next_deadline() const {
  const std::optional<TimePoint> next = core_.next_deadline();
  if (keys_ == nullptr) return next;
  return next ? std::min(*next, look_at_keys_) : look_at_keys_;
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
