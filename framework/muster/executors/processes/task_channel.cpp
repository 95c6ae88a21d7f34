#include <algorithm>
#include <utility>

#include <muster/base/assert.hpp>
#include <muster/base/futex.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/processes/task_channel.hpp>

namespace muster::detail {

TaskChannel::TaskChannel(const AreaGeometry& geometry)
    : area_(SharedArea::create(geometry, memory_)),
      header_(area_.header()),
      writer_(header_.to_child, area_.to_child_data(), geometry.ring_bytes),
      slots_(geometry.slot_count),
      reader_(header_.to_parent, area_.to_parent_data(), geometry.ring_bytes),
      frames_(std::max<std::uint64_t>(geometry.message_bytes_max, error_bytes_max)) {
  for (std::uint32_t slot = geometry.slot_count; slot-- > 0;) free_slots_.push_back(slot);
}

std::uint32_t TaskChannel::send_task(TaskId task, TaskFunction function, const Bytes& argument) {
  MUSTER_ASSERT(!free_slots_.empty());
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot] = {task, next_order_++, true};
  word(slot).store(slot_word(task, SlotState::queued), std::memory_order_relaxed);
  enqueue({FrameKind::task, slot, task.value, reinterpret_cast<std::uint64_t>(function),
           argument.size()},
          &argument);
  return slot;
}

void TaskChannel::send_close() { enqueue(FrameHeader{}, nullptr); }

void TaskChannel::enqueue(const FrameHeader& header, const Bytes* argument) {
  static const Bytes nothing;
  dirty_ = true;
  Outgoing frame{header, argument != nullptr ? argument : &nothing, {}, 0};
  if (outbox_.empty() && write(frame)) return;
  outbox_.push_back(std::move(frame));
}

/// Writes what fits. True if the frame is complete.
bool TaskChannel::write(Outgoing& frame) {
  const std::string_view head = as_bytes(frame.header);
  const std::string_view body = frame.body();
  while (frame.sent < head.size() + body.size()) {
    const std::string_view rest =
        frame.sent < head.size() ? head.substr(frame.sent) : body.substr(frame.sent - head.size());
    const std::size_t written = writer_.write(rest);
    if (written == 0) return false;
    frame.sent += written;
  }
  return true;
}

void TaskChannel::flush() {
  if (!dirty_ && outbox_.empty()) return;
  dirty_ = false;
  do {
    while (!outbox_.empty() && write(outbox_.front())) outbox_.pop_front();
    writer_.publish();
    // Asked for before the fence in wake_child(), and looked at again after it: space that the
    // child frees in between is either seen here, or the child sees the question.
    header_.parent_awaits_space.store(outbox_.empty() ? 0 : 1, std::memory_order_relaxed);
    wake_child(child_awaits_input);
  } while (!outbox_.empty() && writer_.space() != 0);
}

/// The fence stands between what was published before and the look at the flag; the child sets the
/// flag, fences, and looks at its rings. One of the two sees the other.
void TaskChannel::wake_child(ChildSleep reason) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (header_.child_sleeps.load(std::memory_order_relaxed) != reason) return;
  std::uint32_t expected = reason;
  if (header_.child_sleeps.compare_exchange_strong(expected, child_awake)) {
    futex_wake_one_shared(header_.child_sleeps);
  }
}

std::atomic<std::uint64_t>& TaskChannel::word(std::uint32_t slot) const {
  return header_.slots[slot];
}

bool TaskChannel::change(std::uint32_t slot, SlotState from, SlotState to) {
  std::uint64_t expected = slot_word(slots_[slot].task, from);
  return word(slot).compare_exchange_strong(expected, slot_word(slots_[slot].task, to));
}

std::deque<TaskChannel::Outgoing>::iterator TaskChannel::find_outgoing(std::uint32_t slot) {
  return std::find_if(outbox_.begin(), outbox_.end(), [slot](const Outgoing& frame) {
    return frame.header.kind == FrameKind::task && frame.header.slot == slot;
  });
}

TaskChannel::Withdrawal TaskChannel::withdraw(std::uint32_t slot, Bytes& argument,
                                              bool also_running) {
  const auto outgoing = find_outgoing(slot);
  if (outgoing != outbox_.end() && outgoing->sent == 0) {
    outbox_.erase(outgoing);
    free_slot(slot);
    return Withdrawal::unsent;
  }
  if (change(slot, SlotState::queued, SlotState::withdrawn)) {
    if (outgoing != outbox_.end()) {
      outgoing->owned = std::move(argument);
      outgoing->borrowed = nullptr;
    }
    return Withdrawal::recalled;
  }
  const bool stopped = also_running && change(slot, SlotState::running, SlotState::withdrawn);
  return stopped ? Withdrawal::running : Withdrawal::ended;
}

bool TaskChannel::recall(std::uint32_t slot) {
  const auto outgoing = find_outgoing(slot);
  if (outgoing != outbox_.end()) {
    if (outgoing->sent != 0) return false;
    outbox_.erase(outgoing);
    free_slot(slot);
    return true;
  }
  return change(slot, SlotState::queued, SlotState::withdrawn);
}

bool TaskChannel::started(std::uint32_t slot) const {
  // Whatever is not provably queued counts as started, or a task might run twice.
  return word(slot).load() != slot_word(slots_[slot].task, SlotState::queued);
}

bool TaskChannel::running(std::uint32_t slot) const {
  return word(slot).load() == slot_word(slots_[slot].task, SlotState::running);
}

std::vector<InFlight> TaskChannel::in_flight() const {
  std::vector<std::uint32_t> used;
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].used) used.push_back(slot);
  }
  std::sort(used.begin(), used.end(), [this](std::uint32_t left, std::uint32_t right) {
    return slots_[left].order < slots_[right].order;
  });
  std::vector<InFlight> out;
  out.reserve(used.size());
  for (const std::uint32_t slot : used) out.push_back({slots_[slot].task, started(slot)});
  return out;
}

bool TaskChannel::accept(const Reply& reply) {
  const std::uint32_t slot = reply.header.slot;
  if (slot >= slots_.size() || !slots_[slot].used) return false;
  if (slots_[slot].task.value != reply.header.task) return false;
  const FrameKind kind = reply.header.kind;
  if (kind != FrameKind::value && kind != FrameKind::error && kind != FrameKind::skipped) {
    return false;
  }
  free_slot(slot);
  return true;
}

void TaskChannel::free_slot(std::uint32_t slot) {
  slots_[slot].used = false;
  free_slots_.push_back(slot);
}

std::uint64_t TaskChannel::position() const noexcept { return header_.position.load(); }
std::uint64_t TaskChannel::progress() const noexcept { return header_.progress.load(); }

bool TaskChannel::receive(std::vector<Reply>& out, std::size_t count_max) {
  for (std::size_t count = 0; sound_ && count < count_max; ++count) {
    const FrameReader::Outcome outcome = frames_.next(reader_);
    sound_ = outcome != FrameReader::Outcome::broken;
    if (outcome != FrameReader::Outcome::frame) break;
    out.push_back({frames_.header(), std::move(frames_.payload()), frames_.payload_lost()});
  }
  if (reader_.unpublished() != 0) {
    reader_.publish();
    wake_child(child_awaits_space);
  }
  return sound_;
}

void TaskChannel::set_parent_sleeps(bool sleeps) noexcept {
  header_.parent_sleeps.store(sleeps ? 1 : 0, std::memory_order_relaxed);
}

}  // namespace muster::detail
