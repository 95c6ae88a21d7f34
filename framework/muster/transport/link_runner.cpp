#include <algorithm>
#include <utility>

#include <muster/transport/link_runner.hpp>

namespace muster::transport {
namespace {

// So that what has arrived is worked on before all that there is was read.
constexpr int frames_a_round = 64;
constexpr Duration farewell = std::chrono::seconds(1);

std::optional<TimePoint> earlier(std::optional<TimePoint> a, std::optional<TimePoint> b) {
  if (!a) return b;
  return b ? std::min(*a, *b) : a;
}

}  // namespace

void LinkRunner::start() {
  link_.start(Clock::now(), out_);
  carry_out(Clock::now());
}

void LinkRunner::run() {
  start();
  while (!link_.ended()) {
    if (!woken_.load()) dialer_.wait(next_deadline());
    woken_.store(false);
    round(Clock::now());
  }
  dialer_.close(farewell);
}

void LinkRunner::wake() noexcept {
  if (!woken_.exchange(true)) dialer_.wake();
}

void LinkRunner::round(TimePoint now) {
  take_frames(now);
  note_state(now);
  link_.expire(now, out_);
  const std::optional<TimePoint> lease_end = link_.lease_end();
  const bool is_over = has_begun_ && !link_.ended() && (!lease_end || *lease_end <= now);
  if (is_over && !lease_is_over_) owner_.on_lease_over(now);
  lease_is_over_ = is_over;
  carry_out(now);
  if (link_.ended()) return;
  owner_.on_round(now);
  carry_out(Clock::now());
}

void LinkRunner::note_state(TimePoint now) {
  const Dialer::State state = dialer_.state();
  if (state == std::exchange(seen_, state)) return;
  if (state == Dialer::State::open) link_.opened(now, out_);
  if (state == Dialer::State::lost) {
    owner_.on_trouble(dialer_.trouble(), dialer_.hint());
    link_.lost(now, out_);
  }
}

void LinkRunner::take_frames(TimePoint now) {
  note_state(now);  // the welcome may be there with the news that the connection is
  carry_out(now);
  ReceivedFrame frame;
  for (int i = 0; i < frames_a_round && dialer_.receive(frame); ++i) {
    link_.receive(now, frame.bytes, out_);
    if (out_.disconnect || out_.refused) carry_out(now);
    if (i + 1 == frames_a_round) wake();  // there may be more
  }
}

/// Does what the link wants, in its order.
void LinkRunner::carry_out(TimePoint now) {
  wire::LinkOutput out = std::exchange(out_, {});
  if (out.disconnect) {
    dialer_.close(link_.ended() ? farewell : Duration::zero());
    seen_ = Dialer::State::closed;
  }
  if (out.connect) {
    dialer_.connect();
    seen_ = Dialer::State::connecting;
  }
  // Those that do not get through are asked for again by the other side.
  for (const wire::SharedFrame& each : out.frames) dialer_.send(each);
  if (out.refused) owner_.on_refused(*out.refused, link_.ended());
  if (out.opened) {
    has_begun_ = true;
    lease_is_over_ = false;
    owner_.on_session(now);
  }
  for (wire::Message& each : out.messages) {
    if (!link_.has_session()) break;  // which has ended since they came
    owner_.on_message(now, std::move(each));
  }
  if (out.heartbeat_due) {
    link_.beat(now, owner_.heartbeat(), out_);
    for (const wire::SharedFrame& each : std::exchange(out_.frames, {})) dialer_.send(each);
  }
}

std::optional<TimePoint> LinkRunner::next_deadline() {
  const auto own = lease_is_over_ ? std::nullopt : link_.lease_end();
  return earlier(earlier(link_.next_deadline(), own), owner_.next_deadline());
}

}  // namespace muster::transport
