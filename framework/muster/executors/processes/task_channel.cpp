#include <algorithm>
#include <utility>

#include <muster/base/assert.hpp>
#include <muster/base/futex.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/processes/task_channel.hpp>

namespace muster::detail {
namespace {

constexpr char zeros[piece_bytes] = {};

}  // namespace

TaskChannel::TaskChannel(const AreaGeometry& geometry)
    : area_(SharedArea::create(geometry, memory_)),
      header_(area_.header()),
      writer_(header_.to_child, area_.to_child_data(), geometry.ring_bytes),
      slots_(geometry.slot_count),
      reader_(header_.to_parent, area_.to_parent_data(), geometry.ring_bytes),
      frames_(std::max<std::uint64_t>(geometry.message_bytes_max, error_bytes_max)) {
  for (std::uint32_t slot = geometry.slot_count; slot-- > 0;) free_slots_.push_back(slot);
}

void TaskChannel::send_task(TaskPtr task, std::uint64_t number) {
  MUSTER_ASSERT(!free_slots_.empty());
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  task->slot = slot;
  word(slot).store(slot_word(TaskId{number}, SlotState::queued), std::memory_order_relaxed);
  const TaskExtras* extras = task->extras_if_any();
  const bool timed = extras != nullptr && extras->options.run_timeout;
  FrameHeader header{timed ? FrameKind::timed_task : FrameKind::task, slot, number,
                     reinterpret_cast<std::uint64_t>(task->remote().function), 0};
  if (extras != nullptr && extras->call) {
    header.size = extras->call->size();
    enqueue(header, task);
  } else {
    scratch_.clear();
    task->encode(scratch_);
    header.size = scratch_.size();
    if (!outbox_.empty() || !write_direct(header, scratch_.bytes())) enqueue(header, {});
  }
  dirty_ = true;
  slots_[slot] = {std::move(task), number, true};
}

// Most frames are small and find room.
bool TaskChannel::write_direct(const FrameHeader& header, std::string_view call) {
  const std::size_t size = sizeof(header) + call.size();
  if (writer_.space(size) < size) return false;
  writer_.write(as_bytes(header));
  writer_.write(call);
  return true;
}

void TaskChannel::send_initialize(RemoteFunction function, std::string_view call) {
  scratch_.clear();
  scratch_.bytes().append(call);
  enqueue({FrameKind::initialize, 0, 0, reinterpret_cast<std::uint64_t>(function), call.size()},
          {});
}

void TaskChannel::send_close() {
  scratch_.clear();
  enqueue(FrameHeader{}, {});
}

// Without a task, what is sent is in scratch_.
void TaskChannel::enqueue(const FrameHeader& header, const TaskPtr& task) {
  dirty_ = true;
  Outgoing frame{header, {}, nullptr, {}, 0};
  if (task) {
    frame.task = TaskPtr::share(*task);
    frame.call = &*task->extras().call;
  } else {
    frame.flat = std::exchange(scratch_, {});
  }
  if (outbox_.empty() && write(frame)) return;
  outbox_.push_back(std::move(frame));
}

std::string_view TaskChannel::Outgoing::piece(std::size_t offset) const noexcept {
  if (abandoned) return {zeros, std::min<std::size_t>(sizeof(zeros), header.size - offset)};
  return call != nullptr ? call->piece(offset) : flat.piece(offset);
}

// The task's arguments may go now.
void TaskChannel::Outgoing::abandon() noexcept {
  if (call == nullptr) return;
  abandoned = true;
  call = nullptr;
  task = {};
}

// Writes what fits. True if the frame is complete.
bool TaskChannel::write(Outgoing& frame) {
  const std::string_view head = as_bytes(frame.header);
  while (frame.sent < head.size() + frame.header.size) {
    const std::string_view rest =
        frame.sent < head.size() ? head.substr(frame.sent) : frame.piece(frame.sent - head.size());
    const std::size_t written = writer_.write(rest.substr(0, piece_bytes));
    if (written == 0) return false;
    frame.sent += written;
    // A large frame goes out as it is written, so that the child copies it out at the same time.
    if (frame.header.size >= EncodedCall::borrowed_bytes_min) {
      writer_.publish();
      wake_child(child_awaits_input);
    }
  }
  return true;
}

void TaskChannel::flush() {
  // What the outbox waited for space with may have been taken back.
  if (!dirty_ && outbox_.empty() && full_at_.load(std::memory_order_relaxed) == not_full) return;
  dirty_ = false;
  do {
    while (!outbox_.empty() && write(outbox_.front())) outbox_.pop_front();
    writer_.publish();
    // Asked for before the fence in wake_child(), and looked at again after it: space that the
    // child frees in between is either seen here, or the child sees the question.
    full_at_.store(
        outbox_.empty() ? not_full : header_.to_child.consumed.load(std::memory_order_relaxed),
        std::memory_order_relaxed);
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
    woken_.store(true, std::memory_order_relaxed);
  }
}

bool TaskChannel::change(std::uint32_t slot, SlotState from, SlotState to) {
  const TaskId id{slots_[slot].number};
  std::uint64_t expected = slot_word(id, from);
  return word(slot).compare_exchange_strong(expected, slot_word(id, to));
}

std::deque<TaskChannel::Outgoing>::iterator TaskChannel::find_outgoing(std::uint32_t slot) {
  return std::find_if(outbox_.begin(), outbox_.end(), [&](const Outgoing& frame) {
    return frame.header.slot == slot && frame.header.task == slots_[slot].number;
  });
}

TaskChannel::Withdrawal TaskChannel::withdraw(const TaskBase& task, bool also_running) {
  const std::uint32_t slot = task.slot;
  const auto outgoing = find_outgoing(slot);
  if (outgoing != outbox_.end() && outgoing->sent == 0) {
    outbox_.erase(outgoing);
    free_slot(slot);
    return Withdrawal::unsent;
  }
  if (change(slot, SlotState::queued, SlotState::withdrawn)) {
    slots_[slot].task = {};
    if (outgoing != outbox_.end()) outgoing->abandon();
    return Withdrawal::recalled;
  }
  if (!also_running || !change(slot, SlotState::running, SlotState::withdrawn)) {
    return Withdrawal::ended;
  }
  slots_[slot].task = {};
  return Withdrawal::running;
}

std::size_t TaskChannel::held_count() const noexcept {
  if (in_flight_count() < 2) return in_flight_count();
  return static_cast<std::size_t>(std::count_if(
      slots_.begin(), slots_.end(), [](const Slot& slot) { return static_cast<bool>(slot.task); }));
}

TaskPtr TaskChannel::recall_last() {
  std::uint32_t last = 0;
  std::uint64_t number = 0;
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot].task || slots_[slot].number <= number) continue;
    if (started(*slots_[slot].task)) continue;
    last = slot;
    number = slots_[slot].number;
  }
  if (number == 0) return {};
  TaskPtr task = TaskPtr::share(*slots_[last].task);
  return withdraw(*task, false) == Withdrawal::ended ? TaskPtr() : std::move(task);
}

bool TaskChannel::started(const TaskBase& task) const {
  // Whatever is not provably queued counts as started, or a task might run twice.
  return word(task.slot).load() != slot_word(TaskId{slots_[task.slot].number}, SlotState::queued);
}

bool TaskChannel::running(const TaskBase& task) const {
  return word(task.slot).load() == slot_word(TaskId{slots_[task.slot].number}, SlotState::running);
}

std::vector<InFlight> TaskChannel::take_all() {
  std::vector<std::uint32_t> used;
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].used) used.push_back(slot);
  }
  std::sort(used.begin(), used.end(), [this](std::uint32_t left, std::uint32_t right) {
    return slots_[left].number < slots_[right].number;
  });
  std::vector<InFlight> out;
  out.reserve(used.size());
  for (const std::uint32_t slot : used) {
    const bool did_start = slots_[slot].task && started(*slots_[slot].task);
    out.push_back({std::move(slots_[slot].task), slots_[slot].number, did_start});
    free_slot(slot);
  }
  outbox_.clear();
  return out;
}

TaskPtr TaskChannel::accept(const FrameHeader& reply, bool& sound) {
  const std::uint32_t slot = reply.slot;
  const bool known = slot < slots_.size() && slots_[slot].used &&
                     slots_[slot].number == reply.task && find_outgoing(slot) == outbox_.end() &&
                     (reply.kind == FrameKind::value || reply.kind == FrameKind::error ||
                      reply.kind == FrameKind::skipped);
  if (!known) {
    sound = false;
    return {};
  }
  TaskPtr task = std::move(slots_[slot].task);
  free_slot(slot);
  return task;
}

void TaskChannel::free_slot(std::uint32_t slot) {
  slots_[slot].task = {};
  slots_[slot].used = false;
  free_slots_.push_back(slot);
}

TimePoint TaskChannel::started_at() const noexcept {
  return TimePoint(Duration(header_.started_ns.load(std::memory_order_relaxed)));
}

void TaskChannel::request_stop(const TaskBase& task) noexcept {
  header_.stop_task.store(slots_[task.slot].number, std::memory_order_relaxed);
  header_.stop_count.fetch_add(1, std::memory_order_release);
  futex_wake_one_shared(header_.stop_count);
}

bool TaskChannel::receive(std::vector<Reply>& out, std::size_t count_max) {
  const std::uint64_t before = reader_.position();
  for (std::size_t count = 0; sound_ && count < count_max; ++count) {
    const FrameReader::Outcome outcome = frames_.next(reader_);
    sound_ = outcome != FrameReader::Outcome::broken;
    if (outcome != FrameReader::Outcome::frame) break;
    out.push_back({frames_.header(), std::move(frames_.payload()), frames_.payload_lost()});
  }
  if (reader_.position() != before) {
    reader_.publish();  // of large frames, pieces were before
    wake_child(child_awaits_space);
  }
  return sound_;
}

void TaskChannel::set_sleeper(ParentSleeper who) noexcept {
  header_.parent_sleeps.store(who, std::memory_order_relaxed);
}

}  // namespace muster::detail
