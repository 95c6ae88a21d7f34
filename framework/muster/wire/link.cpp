#include <algorithm>
#include <utility>

#include <muster/base/assert.hpp>
#include <muster/wire/link.hpp>

namespace muster::wire {

Link::Link(Hello hello, const LinkOptions& options, std::uint64_t seed)
    : hello_(std::move(hello)), options_(options), random_(seed), pause_(options.pause_min) {}

void Link::start(TimePoint now, LinkOutput& out) {
  MUSTER_ASSERT(state_ == State::idle);
  connect(now, out);
}

void Link::connect(TimePoint now, LinkOutput& out) {
  state_ = State::connecting;
  deadline_ = now + options_.answer_within;
  out.connect = true;
}

void Link::opened(TimePoint now, LinkOutput& out) {
  if (state_ != State::connecting) return;
  state_ = State::greeting;
  deadline_ = now + options_.answer_within;
  hello_at_ = now;
  hello_.resume = std::nullopt;
  if (channel_) hello_.resume = Resumption{session_, channel_->received()};
  Bytes frame = to_frame(hello_);
  finish_frame(frame, {.type = static_cast<std::uint16_t>(Hello::type)});
  out.frames.push_back(std::make_shared<const Bytes>(std::move(frame)));
}

void Link::lost(TimePoint now, LinkOutput& out) {
  if (state_ == State::closing) finish_closing(out);
  if (state_ == State::ended || state_ == State::idle || state_ == State::paused) return;
  try_later(now, out);
}

// The pause grows until a connection has led to something.
void Link::try_later(TimePoint now, LinkOutput& out) {
  state_ = State::paused;
  out.disconnect = true;
  out.frames.clear();  // what counts is sent again
  const auto pause = static_cast<double>(pause_.count()) * (0.5 + random_.unit());
  deadline_ = now + Duration(static_cast<Duration::rep>(pause));
  pause_ = std::min(2 * pause_, options_.pause_max);
}

void Link::receive(TimePoint now, std::string_view bytes, LinkOutput& out) {
  if (state_ != State::greeting && state_ != State::open && state_ != State::closing) return;
  const FrameReading reading = read_frame(bytes);
  if (!reading.frame) {
    ++bad_frames_;
    if (reading.fault == FrameFault::other_version && state_ == State::greeting) {
      on(now,
         Refusal{Refusal::Reason::other_version,
                 "the coordinator speaks version " + std::to_string(reading.version) +
                     " of the protocol, this program version " + std::to_string(protocol_version),
                 "run programs of one release"},
         out);
    }
    return;
  }
  try {
    on_frame(now, *reading.frame, out);
  } catch (const Error&) {
    // It is acknowledged and lies about something: nothing that follows it can be believed.
    ++bad_frames_;
    forget_session();
    try_later(now, out);
  }
}

void Link::on_frame(TimePoint now, const Frame& frame, LinkOutput& out) {
  const bool is_of_session = channel_ && frame.header.epoch == channel_->epoch();
  const bool is_counted =
      frame.header.sequence != 0 || frame.header.type < Channel::first_free_type;
  if (state_ == State::greeting && is_counted) return;  // of what was before
  if (state_ != State::greeting && is_of_session &&
      channel_->receive(now, frame, out.frames) != Arrival::deliver) {
    if (state_ == State::closing && channel_->unacknowledged() == 0) finish_closing(out);
    return;
  }
  if (is_counted && !is_of_session) return;
  std::optional<Message> message = read_message(frame.header.type, frame.body);
  if (!message) return;  // of a later release: it says nothing to this one
  if (const auto* welcome = std::get_if<Welcome>(&*message)) {
    if (state_ == State::greeting) on(now, frame.header, *welcome, out);
  } else if (const auto* refusal = std::get_if<Refusal>(&*message)) {
    on(now, *refusal, out);
  } else if (state_ != State::greeting && is_of_session) {
    on_message(std::move(*message), out);
  }
}

void Link::on_message(Message&& message, LinkOutput& out) {
  if (!coordinator_may_say(message)) {
    throw Error(ErrorCode::corrupt, "the coordinator said what only others say");
  }
  if (const auto* beat = std::get_if<Heartbeat>(&message)) {
    while (!unanswered_.empty() && beats_ - unanswered_.size() < beat->number) {
      leased_from_ = unanswered_.front();
      unanswered_.pop_front();
    }
  } else if (std::holds_alternative<Goodbye>(message)) {
    if (state_ == State::closing) finish_closing(out);
  } else if (state_ == State::open) {
    out.messages.push_back(std::move(message));
  }
}

void Link::on(TimePoint now, const FrameHeader& header, const Welcome& welcome, LinkOutput& out) {
  const bool goes_on = welcome.received && channel_ && header.epoch == channel_->epoch() &&
                       welcome.session == session_;
  if (welcome.received && (!goes_on || !channel_->resume(now, *welcome.received, out.frames))) {
    forget_session();  // it takes us for somebody else
    try_later(now, out);
    return;
  }
  if (!goes_on) {
    channel_.emplace(header.epoch, options_.channel);
    session_ = welcome.session;
    out.opened = true;
  }
  state_ = State::open;
  pause_ = options_.pause_min;
  constexpr Duration shortest = std::chrono::milliseconds(3);
  constexpr Duration longest = std::chrono::hours(48);
  lease_ = std::clamp(Duration(welcome.lease_ns), shortest, longest);
  heartbeat_ = std::clamp(Duration(welcome.heartbeat_ns), shortest / 3, lease_ / 3);
  leased_from_ = hello_at_;
  unanswered_.clear();
  beat_at_ = now + heartbeat_;
}

void Link::on(TimePoint now, const Refusal& refusal, LinkOutput& out) {
  using Reason = Refusal::Reason;
  if (state_ == State::closing) {
    finish_closing(out);
    return;
  }
  out.refused = refusal;
  const bool had_session = has_session();
  const bool is_for_good = refusal.reason == Reason::other_version ||
                           refusal.reason == Reason::not_allowed ||
                           refusal.reason == Reason::malformed;
  if (refusal.reason != Reason::full && refusal.reason != Reason::name_taken) forget_session();
  if (is_for_good) {
    state_ = State::ended;
    out.disconnect = true;
    out.frames.clear();
    return;
  }
  try_later(now, out);
  // There is no reason to wait: it is there, and has no place for the old session only.
  const bool is_forgotten = refusal.reason == Reason::unknown || refusal.reason == Reason::expired;
  if (is_forgotten && had_session) deadline_ = now;
}

void Link::forget_session() {
  channel_.reset();
  session_ = 0;
}

void Link::expire(TimePoint now, LinkOutput& out) {
  switch (state_) {
    case State::idle:
    case State::ended:
      return;
    case State::paused:
      if (deadline_ <= now) connect(now, out);
      return;
    case State::connecting:
    case State::greeting:
      if (deadline_ <= now) try_later(now, out);
      return;
    case State::open:
      if (*lease_end() <= now) {
        try_later(now, out);
        return;
      }
      channel_->expire(now, out.frames);
      if (beat_at_ <= now) out.heartbeat_due = true;
      return;
    case State::closing:
      channel_->expire(now, out.frames);
      if (deadline_ <= now) finish_closing(out);
  }
}

std::optional<TimePoint> Link::next_deadline() const {
  if (state_ == State::idle || state_ == State::ended) return std::nullopt;
  if (state_ != State::open && state_ != State::closing) return deadline_;
  const TimePoint own = state_ == State::open ? std::min(*lease_end(), beat_at_) : deadline_;
  return std::min(own, channel_->next_deadline().value_or(own));
}

void Link::beat(TimePoint now, const Heartbeat& heartbeat, LinkOutput& out) {
  if (state_ != State::open) return;
  beat_at_ = now + heartbeat_;
  Heartbeat numbered = heartbeat;
  numbered.number = ++beats_;
  unanswered_.push_back(now);  // fewer than fit into a lease: without an answer the session ends
  out.frames.push_back(
      channel_->make_uncounted(static_cast<std::uint16_t>(Heartbeat::type), to_frame(numbered)));
}

void Link::send_frame(TimePoint now, std::uint16_t type, Bytes frame, LinkOutput& out) {
  MUSTER_ASSERT(has_session());
  std::vector<SharedFrame> unsent;
  channel_->send(now, type, std::move(frame), state_ == State::open ? out.frames : unsent);
}

void Link::end(TimePoint now, const std::string& reason, LinkOutput& out) {
  if (state_ == State::open) {
    send(now, Goodbye{reason}, out);
    state_ = State::closing;
    deadline_ = now + options_.answer_within;
  } else if (state_ != State::closing) {
    finish_closing(out);
  }
}

void Link::finish_closing(LinkOutput& out) {
  state_ = State::ended;
  forget_session();
  out.disconnect = true;
  out.frames.clear();
}

std::optional<TimePoint> Link::lease_end() const {
  if (!channel_) return std::nullopt;
  return leased_from_ + lease_;
}

}  // namespace muster::wire
