#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include <muster/executors/task.hpp>

namespace muster::detail {

/// Tasks that wait for a thread, first in, first out: pushed by anybody, popped by one thread at a
/// time. Owns what it holds.
///
/// push() takes no lock: it draws a ticket, which says what cell of what segment the task goes to.
/// (The tickets are those of LCRQ: Morrison and Afek, "Fast concurrent queues for x86 processors",
/// PPoPP 2013; here a cell is filled once, and its segment then used again.) Segments are found
/// through a table that the tickets go around in, so a producer looks only at the segment that its
/// own ticket keeps from being popped to the end.
class InjectionQueue {
 public:
  static constexpr std::size_t segment_cells = 1024;
  static constexpr std::size_t default_segments = std::size_t{1} << 17U;

  /// At most about `segments` times segment_cells tasks fit, 134 million by default; a power of
  /// two, and at least 4. What is not used takes no memory.
  explicit InjectionQueue(std::size_t segments = default_segments);
  InjectionQueue(const InjectionQueue&) = delete;
  InjectionQueue& operator=(const InjectionQueue&) = delete;
  ~InjectionQueue();

  /// By anybody. False after close(): then the task stays with the caller. Sequentially consistent
  /// with size(): if that does not count the task yet, what was stored before it is visible after
  /// push(). Throws Error(limit) if the queue is full, and std::bad_alloc; but if more threads than
  /// a segment has cells push at one moment, a lack of memory or room ends the program.
  bool push(TaskPtr& task);

  /// Takes up to `count`: fewer if there are no more, or the next one is just being pushed.
  std::size_t pop(TaskBase** out, std::size_t count) noexcept;
  /// Like pop(), by one thread at a time, as all that follow: how many came before the first.
  std::uint64_t first_number() noexcept;
  /// Leaves a place free, for what is kept elsewhere, and says how many came before it. Not after
  /// close(). Throws what push() does.
  std::uint64_t push_gap();
  /// Nothing is pushed any more.
  void close() noexcept;

  /// By anybody: how many there are, with those that are just being pushed. Too high at times while
  /// others push or pop, never too low.
  std::size_t size() const noexcept;

 private:
  static constexpr std::uint64_t closed_bit = std::uint64_t{1} << 63U;

  struct Segment {
    std::array<std::atomic<TaskBase*>, segment_cells> cells{};  // null: nothing was pushed
  };
  struct FreeTable {
    void operator()(Segment** table) const noexcept { std::free(table); }
  };

  std::atomic_ref<Segment*> segment_of(std::uint64_t ticket) const noexcept {
    return std::atomic_ref<Segment*>(table_[ticket / segment_cells & table_mask_]);
  }
  std::uint64_t draw_ticket();
  void put(std::uint64_t ticket, TaskBase* task) noexcept;
  std::atomic<TaskBase*>* first_cell() noexcept;
  void advance() noexcept;
  void make_segment(std::uint64_t ticket);
  void recycle_segment(std::uint64_t ticket) noexcept;

  // Apart: what every push writes, what every pop writes, and what every push reads.
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  alignas(64) std::atomic<std::uint64_t> head_{0};
  std::atomic<std::uint64_t> end_{closed_bit};  // tail_ as close() found it
  std::atomic<std::size_t> gaps_{0};            // between head_ and tail_
  alignas(64) const std::uint64_t table_mask_;
  std::unique_ptr<Segment*[], FreeTable> table_;

  alignas(64) std::mutex segments_mutex_;
  std::vector<std::unique_ptr<Segment>> segments_;
  std::vector<Segment*> free_;  // with room for all
};

}  // namespace muster::detail
