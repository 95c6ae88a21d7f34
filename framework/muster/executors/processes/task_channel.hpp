#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/base/clock.hpp>
#include <muster/base/file.hpp>
#include <muster/executors/processes/frame.hpp>
#include <muster/executors/processes/ring.hpp>
#include <muster/executors/processes/shared_area.hpp>
#include <muster/executors/task.hpp>

namespace muster::detail {

/// What a child answered to one task.
struct Reply {
  FrameHeader header;
  Bytes payload;
  bool payload_lost = false;  // there was no memory for it
};

/// A task that was sent and has not been answered, or whose end has not been learnt.
struct InFlight {
  TaskPtr task;  // empty if it was taken back
  std::uint64_t number = 0;
  bool started = false;  // of a task that is here
};

/// The parent's end of one task process: sends tasks, takes replies, and follows each task by its
/// slot word.
///
/// It never blocks: what does not fit into the ring waits in the outbox, and the child says when
/// there is space. Arguments are not copied: the channel holds a task until its reply, or until it
/// is taken back. Of one that is half sent then, zeros are sent instead of the rest: the child
/// skips it without a look at them.
///
/// Sending and slots: one thread at a time (the pool's lock). receive() and has_input(): one thread
/// at a time (the pool's receiving lock), which may do so while others send.
class TaskChannel {
 public:
  explicit TaskChannel(const AreaGeometry& geometry);

  int memory() const noexcept { return memory_.get(); }
  void forget_memory() noexcept { memory_.reset(); }  ///< once the child has it

  // Sending.
  bool has_free_slot() const noexcept { return !free_slots_.empty(); }
  std::size_t in_flight_count() const noexcept { return slots_.size() - free_slots_.size(); }
  /// Those of them that were not taken back: what it runs, and what waits for it.
  std::size_t held_count() const noexcept;
  /// Sends a task and notes in it where it is. `number` is never used again.
  void send_task(TaskPtr task, std::uint64_t number);
  void send_initialize(RemoteFunction function, std::string_view call);
  void send_close();
  /// Makes what was sent visible, and wakes the child if it sleeps.
  void flush();
  /// The child has written nonsense into the ring to it: nothing can be sent any more.
  bool send_ring_broken() const noexcept { return writer_.broken(); }

  // Slots. A task that was sent here and not answered or taken back is in its slot.
  enum class Withdrawal {
    unsent,    ///< never left
    recalled,  ///< the child will skip it and say so
    running,   ///< it runs, and will not start another task: the caller must kill the process
    ended,     ///< too late: the reply is on its way, or will be
  };
  /// Takes a task back, a running one only if `also_running`; one that is left alone has `ended`.
  Withdrawal withdraw(const TaskBase& task, bool also_running);
  /// Takes back the task that was sent last of those that have not started; empty if there is none.
  TaskPtr recall_last();
  bool started(const TaskBase& task) const;
  /// True while exactly this task runs.
  bool running(const TaskBase& task) const;
  /// Takes all tasks out of their slots, in the order sent. For a process that has ended.
  std::vector<InFlight> take_all();
  /// True for a reply that says that the process could not be initialised.
  static bool is_failed_start(const FrameHeader& reply) noexcept {
    return reply.kind == FrameKind::error && reply.task == 0;
  }
  /// Frees the slot a reply is for and gives its task, empty if that was taken back. `sound` turns
  /// false if the reply answers nothing: the child makes no sense.
  TaskPtr accept(const FrameHeader& reply, bool& sound);

  // Of the running task.
  std::uint64_t position() const noexcept { return header_.position.load(); }
  std::uint64_t progress() const noexcept { return header_.progress.load(); }
  bool wants_to_retire() const noexcept { return header_.wants_to_retire.load() != 0; }
  TimePoint started_at() const noexcept;  ///< only of a task that has a run_timeout
  void request_stop(const TaskBase& task) noexcept;

  // Receiving.
  /// Appends the replies that have arrived, at most `count_max`. False if the ring makes no sense;
  /// nothing is read from it then any more.
  bool receive(std::vector<Reply>& out, std::size_t count_max);
  /// A part of a frame is here, or a part of one waits to be sent: the rest comes soon.
  bool in_frame() const noexcept {
    return frames_.in_frame() || full_at_.load(std::memory_order_relaxed) != not_full;
  }
  bool has_input() { return sound_ && (reader_.available() != 0 || reader_.broken()); }
  /// Since this was asked last, the child was woken from sleep. By any thread.
  bool take_woken() noexcept {
    return woken_.load(std::memory_order_relaxed) &&
           woken_.exchange(false, std::memory_order_relaxed);
  }
  /// The outbox waits for space, and there is some. By any thread.
  bool may_flush() const noexcept {
    const std::uint64_t full_at = full_at_.load(std::memory_order_relaxed);
    return full_at != not_full &&
           full_at != header_.to_child.consumed.load(std::memory_order_relaxed);
  }
  /// Who is to be woken by a reply, or by space. By any thread.
  void set_sleeper(ParentSleeper who) noexcept;

 private:
  struct Slot {
    TaskPtr task;
    std::uint64_t number = 0;
    bool used = false;
  };
  struct Outgoing {
    FrameHeader header;
    TaskPtr task;             // whose arguments are being sent; empty for a frame without any
    const EncodedCall* call;  // of that task
    EncodedCall flat;         // instead of it
    std::size_t sent = 0;
    bool abandoned = false;  // what is left of the call is sent as zeros

    std::string_view piece(std::size_t offset) const noexcept;
    void abandon() noexcept;
  };

  static constexpr std::uint64_t not_full = ~std::uint64_t{0};

  void enqueue(const FrameHeader& header, const TaskPtr& task);
  bool write_direct(const FrameHeader& header, std::string_view call);
  bool write(Outgoing& frame);
  void wake_child(ChildSleep reason);
  void free_slot(std::uint32_t slot);
  std::atomic<std::uint64_t>& word(std::uint32_t slot) const { return header_.slots[slot]; }
  bool change(std::uint32_t slot, SlotState from, SlotState to);
  std::deque<Outgoing>::iterator find_outgoing(std::uint32_t slot);

  UniqueFd memory_;
  SharedArea area_;
  SharedHeader& header_;
  RingWriter writer_;
  std::deque<Outgoing> outbox_;
  EncodedCall scratch_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  // The consumer's index when the outbox found no space.
  std::atomic<std::uint64_t> full_at_{not_full};
  std::atomic<bool> woken_{false};
  bool dirty_ = false;  // something was written and not flushed

  RingReader reader_;
  FrameReader frames_;
  bool sound_ = true;
};

}  // namespace muster::detail
