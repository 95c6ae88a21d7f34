#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <muster/base/clock.hpp>
#include <muster/base/file.hpp>
#include <muster/base/ids.hpp>
#include <muster/executors/process_limits.hpp>
#include <muster/executors/processes/ring.hpp>

namespace muster::detail {

/// Where a task stands that was sent to a process. One word holds the task's id and this, so that
/// every step is one compare-and-swap and parent and child never disagree:
///
///   queued --child--> running --child--> done        (done: after the whole reply was published)
///     |                  |
///     +-----parent-------+--> withdrawn
///
/// The child skips a task that was withdrawn before it started. If it finds its running task
/// withdrawn, the parent is about to kill it, or has told it to end: it ends by itself, so that the
/// kill hits this task and never the next.
enum class SlotState : std::uint64_t { queued = 0, running = 1, done = 2, withdrawn = 3 };

inline constexpr unsigned slot_state_bits = 2;

constexpr std::uint64_t slot_word(TaskId task, SlotState state) {
  return (task.value << slot_state_bits) | static_cast<std::uint64_t>(state);
}

/// What the child sleeps for.
enum ChildSleep : std::uint32_t { child_awake = 0, child_awaits_input = 1, child_awaits_space = 2 };

/// Who sleeps in the parent until a reply comes: nobody, the pool's own thread, or a thread that
/// waits for a future. Each has an eventfd.
enum ParentSleeper : std::uint32_t { parent_looks = 0, pump_sleeps = 1, leader_sleeps = 2 };

/// What parent and child agree on before the child starts.
struct AreaGeometry {
  std::uint64_t ring_bytes = 0;         // of each ring; a power of two
  std::uint64_t message_bytes_max = 0;  // of an argument or a result
  std::uint32_t slot_count = 0;
  std::uint32_t spin = 0;              // whether looking before sleeping can pay
  std::uint64_t retire_rss_bytes = 0;  // of resident memory; over it, it asks to be replaced
  ProcessLimits limits;
};

inline constexpr std::uint32_t slots_max = 256;

struct SharedHeader {
  AreaGeometry geometry;  // read by the child; the parent keeps its own copy
  alignas(cache_line) std::atomic<std::uint32_t> child_sleeps{child_awake};
  alignas(cache_line) std::atomic<std::uint32_t> parent_sleeps{parent_looks};
  std::atomic<std::uint32_t> parent_awaits_space{0};  // set and taken back by the parent
  alignas(cache_line) std::atomic<std::uint64_t> position{0};
  std::atomic<std::uint64_t> progress{0};
  std::atomic<Duration::rep> started_ns{0};  // of Clock, by tasks whose run time is limited
  std::atomic<std::uint64_t> stop_task{0};   // the task that is to stop, if it is still running
  std::atomic<std::uint32_t> wants_to_retire{0};
  std::atomic<std::uint32_t> stop_count{0};  // a futex: grows with each request to stop
  RingControl to_child;
  RingControl to_parent;
  alignas(cache_line) std::atomic<std::uint64_t> slots[slots_max]{};
};

/// The memory that one task process shares with the parent: header and two rings. It belongs to
/// that pair alone, so that a process that goes wild damages nothing else. Move-only; unmapped on
/// destruction. What may be read and written by whom is said at the fields.
class SharedArea {
 public:
  /// Makes the area and hands out the memfd to send to the child. Its size is sealed: otherwise the
  /// child could shrink it and the parent would die of SIGBUS. Throws Error(io or no_space).
  static SharedArea create(const AreaGeometry& geometry, UniqueFd& memory);

  /// The child's side. Throws Error.
  static SharedArea map(int memory);

  SharedArea(SharedArea&& other) noexcept;
  SharedArea& operator=(SharedArea&&) = delete;
  ~SharedArea();

  SharedHeader& header() const noexcept { return *header_; }
  const AreaGeometry& geometry() const noexcept { return geometry_; }
  char* to_child_data() const noexcept;
  char* to_parent_data() const noexcept;

 private:
  SharedArea(void* base, const AreaGeometry& geometry);

  SharedHeader* header_;
  AreaGeometry geometry_;
};

}  // namespace muster::detail
