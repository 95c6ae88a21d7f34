#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/base/file.hpp>
#include <muster/base/ids.hpp>
#include <muster/executors/processes/frame.hpp>
#include <muster/executors/processes/ring.hpp>
#include <muster/executors/processes/shared_area.hpp>
#include <muster/executors/task_context.hpp>

namespace muster::detail {

/// What a child answered to one task.
struct Reply {
  FrameHeader header;
  Bytes payload;
  bool payload_lost = false;  // there was no memory for it
};

/// A task that was sent and has not been answered, or whose end has not been learnt.
struct InFlight {
  TaskId task;
  bool started = false;
};

/// The parent's end of one task process: sends tasks, takes replies, and follows each task by its
/// slot word.
///
/// It never blocks: what does not fit into the ring waits in the outbox, and the child says when
/// there is space. Arguments are not copied: they must stay until the reply, or until withdraw()
/// has returned.
///
/// Sending and slots: one thread at a time (the pool's lock). receive() and the sleeping flag: the
/// pool's thread only, which may do so while others send.
class TaskChannel {
 public:
  explicit TaskChannel(const AreaGeometry& geometry);

  int memory() const noexcept { return memory_.get(); }
  void forget_memory() noexcept { memory_.reset(); }  ///< once the child has it

  // Sending.
  bool has_free_slot() const noexcept { return !free_slots_.empty(); }
  std::size_t in_flight_count() const noexcept { return slots_.size() - free_slots_.size(); }
  std::uint32_t send_task(TaskId task, TaskFunction function, const Bytes& argument);
  void send_close();
  /// Makes what was sent visible, and wakes the child if it sleeps.
  void flush();

  // Slots.
  enum class Withdrawal {
    unsent,    ///< never left; the slot is free
    recalled,  ///< the child will skip it and say so
    running,   ///< it runs, and will not start another task: the caller must kill the process
    ended,     ///< too late: the reply is on its way, or will be
  };
  /// Takes a task back, a running one only if `also_running`; one that is left alone has `ended`.
  /// If a part of its argument is on its way, it is moved out of `argument`.
  Withdrawal withdraw(std::uint32_t slot, Bytes& argument, bool also_running);
  /// The same only for a task that has not started and of which nothing is half sent; false if not.
  bool recall(std::uint32_t slot);
  bool started(std::uint32_t slot) const;
  /// True while exactly this task runs.
  bool running(std::uint32_t slot) const;
  std::vector<InFlight> in_flight() const;  ///< in the order sent
  /// Frees the slot a reply is for. False if the reply answers nothing: the child makes no sense.
  bool accept(const Reply& reply);

  // Counters of the running task.
  std::uint64_t position() const noexcept;
  std::uint64_t progress() const noexcept;

  // Receiving.
  /// Appends the replies that have arrived, at most `count_max`. False if the ring makes no sense;
  /// nothing is read from it then any more.
  bool receive(std::vector<Reply>& out, std::size_t count_max);
  bool has_input() { return sound_ && (reader_.available() != 0 || reader_.broken()); }
  void set_parent_sleeps(bool sleeps) noexcept;

 private:
  struct Slot {
    TaskId task;
    std::uint64_t order = 0;
    bool used = false;
  };
  struct Outgoing {
    FrameHeader header;
    const Bytes* borrowed = nullptr;
    Bytes owned;  // if borrowed is null
    std::size_t sent = 0;
    const Bytes& body() const { return borrowed != nullptr ? *borrowed : owned; }
  };

  void enqueue(const FrameHeader& header, const Bytes* argument);
  bool write(Outgoing& frame);
  void wake_child(ChildSleep reason);
  void free_slot(std::uint32_t slot);
  std::atomic<std::uint64_t>& word(std::uint32_t slot) const;
  bool change(std::uint32_t slot, SlotState from, SlotState to);
  std::deque<Outgoing>::iterator find_outgoing(std::uint32_t slot);

  UniqueFd memory_;
  SharedArea area_;
  SharedHeader& header_;
  RingWriter writer_;
  std::deque<Outgoing> outbox_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t next_order_ = 0;
  bool dirty_ = false;  // something was written and not flushed

  RingReader reader_;
  FrameReader frames_;
  bool sound_ = true;
};

}  // namespace muster::detail
