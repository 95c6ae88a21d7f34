#include <algorithm>
#include <utility>

#include <muster/base/assert.hpp>
#include <muster/wire/channel.hpp>

namespace muster::wire {

void Channel::send(TimePoint now, std::uint16_t type, Bytes frame, std::vector<SharedFrame>& out) {
  MUSTER_ASSERT(type >= first_free_type);
  finish_frame(frame, header(type, sent_ + 1));
  ++sent_;
  unacknowledged_bytes_ += frame.size();
  unacknowledged_.push_back(std::make_shared<const Bytes>(std::move(frame)));
  out.push_back(unacknowledged_.back());
  if (!ask_at_) restart_asking(now);
  note_acknowledged();
}

SharedFrame Channel::make_uncounted(std::uint16_t type, Bytes frame) {
  finish_frame(frame, header(type, 0));
  note_acknowledged();
  return std::make_shared<const Bytes>(std::move(frame));
}

Arrival Channel::receive(TimePoint now, const Frame& frame, std::vector<SharedFrame>& out) {
  const FrameHeader& got = frame.header;
  if (got.epoch != epoch_) return Arrival::stale;
  take_acknowledgement(now, got.acknowledged);
  if (got.type < first_free_type) {
    on_own(now, frame, out);
    return Arrival::handled;
  }
  if (got.sequence == 0) return Arrival::deliver;
  if (got.sequence <= received_) return Arrival::repeated;
  if (got.sequence > received_ + 1) {
    if (reported_missing_ != received_ + 1) send_own(missing, std::nullopt, out);
    reported_missing_ = received_ + 1;
    return Arrival::early;
  }
  ++received_;
  if (++unreported_ >= options_.acknowledge_every) {
    send_own(acknowledge, std::nullopt, out);
  } else if (!acknowledge_at_) {
    acknowledge_at_ = now + options_.acknowledge_after;
  }
  return Arrival::deliver;
}

void Channel::on_own(TimePoint now, const Frame& frame, std::vector<SharedFrame>& out) {
  ByteReader body(frame.body, "a message between channels");
  if (frame.header.type == ask) {
    send_own(answer, body.fixed<std::uint64_t>(), out);
  } else if (frame.header.type == answer) {
    const auto answered = body.fixed<std::uint64_t>();
    if (answered == asked_) send_again(now, answered, out);
  } else if (frame.header.type == missing) {
    const std::uint64_t first = sent_ - unacknowledged_.size() + 1;
    if (first != repeated_from_ || may_repeat_at_ <= now) send_again(now, sent_, out);
  } else if (frame.header.type != acknowledge) {
    body.fail("there is no such message");
  }
  body.finish();
}

void Channel::expire(TimePoint now, std::vector<SharedFrame>& out) {
  if (acknowledge_at_ && *acknowledge_at_ <= now) send_own(acknowledge, std::nullopt, out);
  if (ask_at_ && *ask_at_ <= now) {
    send_own(ask, sent_, out);
    asked_ = sent_;
    ask_after_ = std::min(2 * ask_after_, options_.ask_after_max);
    ask_at_ = now + ask_after_;
  }
}

std::optional<TimePoint> Channel::next_deadline() const noexcept {
  if (!acknowledge_at_ || !ask_at_) return acknowledge_at_ ? acknowledge_at_ : ask_at_;
  return std::min(*acknowledge_at_, *ask_at_);
}

bool Channel::resume(TimePoint now, std::uint64_t received_there, std::vector<SharedFrame>& out) {
  if (received_there > sent_ || received_there + unacknowledged_.size() < sent_) return false;
  take_acknowledgement(now, received_there);
  reported_missing_ = 0;  // what was said on the old connection may never have arrived
  asked_.reset();
  send_again(now, sent_, out);
  return true;
}

void Channel::take_acknowledgement(TimePoint now, std::uint64_t acknowledged) {
  const std::uint64_t before = sent_ - unacknowledged_.size();
  if (acknowledged <= before || acknowledged > sent_) return;
  for (std::uint64_t i = before; i < acknowledged; ++i) {
    unacknowledged_bytes_ -= unacknowledged_.front()->size();
    unacknowledged_.pop_front();
  }
  restart_asking(now);
}

void Channel::send_again(TimePoint now, std::uint64_t up_to, std::vector<SharedFrame>& out) {
  const std::uint64_t first = sent_ - unacknowledged_.size() + 1;
  for (std::uint64_t sequence = first; sequence <= std::min(up_to, sent_); ++sequence) {
    out.push_back(unacknowledged_[sequence - first]);
    ++sent_again_;
  }
  repeated_from_ = first;
  may_repeat_at_ = now + options_.ask_after;
  asked_.reset();
  restart_asking(now);
}

void Channel::send_own(std::uint16_t type, std::optional<std::uint64_t> body,
                       std::vector<SharedFrame>& out) {
  Bytes frame = start_frame();
  if (body) ByteWriter(frame).fixed(*body);
  out.push_back(make_uncounted(type, std::move(frame)));
}

void Channel::note_acknowledged() noexcept {
  unreported_ = 0;
  acknowledge_at_.reset();
}

void Channel::restart_asking(TimePoint now) {
  ask_after_ = options_.ask_after;
  ask_at_.reset();
  if (!unacknowledged_.empty()) ask_at_ = now + ask_after_;
}

}  // namespace muster::wire
