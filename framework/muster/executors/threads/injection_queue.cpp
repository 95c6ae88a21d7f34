#include <algorithm>
#include <bit>
#include <new>

#include <fmt/format.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/executors/threads/injection_queue.hpp>

namespace muster::detail {
namespace {

// No task is there.
TaskBase* const gap = reinterpret_cast<TaskBase*>(std::uintptr_t{1});

}  // namespace

// calloc() gives pages that take no memory until they are used.
InjectionQueue::InjectionQueue(std::size_t segments)
    : table_mask_(segments - 1),
      table_(static_cast<Segment**>(std::calloc(segments, sizeof(void*)))) {
  MUSTER_ASSERT(std::has_single_bit(segments) && segments >= 4);
  if (table_ == nullptr) throw std::bad_alloc();
  make_segment(0);
}

// In a forked child, too, where a thread that is not there may hold the mutex.
InjectionQueue::~InjectionQueue() {
  for (std::uint64_t head = head_.load();; ++head) {
    Segment* const segment = segment_of(head).load();
    TaskBase* const task =
        segment != nullptr ? segment->cells[head % segment_cells].load() : nullptr;
    if (task == nullptr) return;
    if (task != gap) static_cast<void>(TaskPtr(task));
  }
}

bool InjectionQueue::push(TaskPtr& task) {
  const std::uint64_t ticket = draw_ticket();
  if ((ticket & closed_bit) != 0) return false;
  put(ticket, task.release());
  return true;
}

std::uint64_t InjectionQueue::push_gap() {
  const std::uint64_t ticket = draw_ticket();
  MUSTER_ASSERT((ticket & closed_bit) == 0);
  put(ticket, gap);
  gaps_.fetch_add(1, std::memory_order_release);
  return ticket;
}

std::uint64_t InjectionQueue::draw_ticket() {
  // Acquire: whoever sees that it is closed sees why.
  const std::uint64_t tail = tail_.load(std::memory_order_acquire);
  if ((tail & closed_bit) != 0) return tail;
  // One segment ahead, so that memory runs out before the ticket is drawn.
  const std::uint64_t ahead = tail + segment_cells;
  if (segment_of(ahead).load(std::memory_order_relaxed) == nullptr) make_segment(ahead);
  return tail_.fetch_add(1, std::memory_order_seq_cst);
}

void InjectionQueue::put(std::uint64_t ticket, TaskBase* task) noexcept {
  Segment* segment = segment_of(ticket).load(std::memory_order_acquire);
  while (segment == nullptr) {  // more threads push at this moment than a segment has cells
    make_segment(ticket);
    segment = segment_of(ticket).load(std::memory_order_acquire);
  }
  segment->cells[ticket % segment_cells].store(task, std::memory_order_release);
}

// Of two that make the same one, the second finds it made. One who comes when it has been used
// already makes that of the table's next round.
void InjectionQueue::make_segment(std::uint64_t ticket) {
  const std::lock_guard lock(segments_mutex_);
  if (segment_of(ticket).load(std::memory_order_relaxed) != nullptr) return;
  if (segments_.size() - free_.size() >= table_mask_) {
    throw Error(ErrorCode::limit,
                fmt::format("{} tasks wait for a thread, more than a pool can hold", size()),
                "set queue_max");
  }
  if (free_.empty()) {
    free_.reserve(segments_.size() + 1);
    segments_.push_back(std::make_unique<Segment>());
    free_.push_back(segments_.back().get());
  }
  segment_of(ticket).store(free_.back(), std::memory_order_release);
  free_.pop_back();
}

// All of its cells are empty again, and whoever filled them does not look at them any more.
void InjectionQueue::recycle_segment(std::uint64_t ticket) noexcept {
  const std::lock_guard lock(segments_mutex_);
  free_.push_back(segment_of(ticket).load(std::memory_order_relaxed));
  segment_of(ticket).store(nullptr, std::memory_order_relaxed);
}

// Past gaps; null if the segment is not there.
std::atomic<TaskBase*>* InjectionQueue::first_cell() noexcept {
  for (;;) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    Segment* const segment = segment_of(head).load(std::memory_order_acquire);
    if (segment == nullptr) return nullptr;
    std::atomic<TaskBase*>& cell = segment->cells[head % segment_cells];
    if (cell.load(std::memory_order_relaxed) != gap) return &cell;
    cell.store(nullptr, std::memory_order_relaxed);
    gaps_.fetch_sub(1, std::memory_order_relaxed);
    advance();
  }
}

void InjectionQueue::advance() noexcept {
  const std::uint64_t head = head_.load(std::memory_order_relaxed) + 1;
  head_.store(head, std::memory_order_release);
  if (head % segment_cells == 0) recycle_segment(head - 1);
}

std::size_t InjectionQueue::pop(TaskBase** out, std::size_t count) noexcept {
  std::size_t taken = 0;
  while (taken < count) {
    std::atomic<TaskBase*>* const cell = first_cell();
    TaskBase* const task = cell != nullptr ? cell->load(std::memory_order_acquire) : nullptr;
    if (task == nullptr) break;
    cell->store(nullptr, std::memory_order_relaxed);
    advance();
    out[taken++] = task;
  }
  return taken;
}

std::uint64_t InjectionQueue::first_number() noexcept {
  first_cell();
  return head_.load(std::memory_order_relaxed);
}

void InjectionQueue::close() noexcept {
  const std::uint64_t tail = tail_.fetch_or(closed_bit, std::memory_order_seq_cst);
  if ((tail & closed_bit) == 0) end_.store(tail, std::memory_order_release);
}

// In this order: whoever sees a place passed, or a gap counted, sees what was stored before.
std::size_t InjectionQueue::size() const noexcept {
  const std::uint64_t head = head_.load(std::memory_order_acquire);
  const std::uint64_t gaps = gaps_.load(std::memory_order_acquire);
  // Those who come after the end draw tickets too.
  const std::uint64_t tail = std::min(tail_.load(std::memory_order_seq_cst) & ~closed_bit,
                                      end_.load(std::memory_order_acquire));
  return static_cast<std::size_t>(tail - head - gaps);
}

}  // namespace muster::detail
