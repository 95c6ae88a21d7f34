#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <muster/executors/task_heap.hpp>
#include <muster/executors/threads/injection_queue.hpp>

namespace muster::detail {

/// What all threads of a pool take tasks from: an InjectionQueue, and a TaskHeap for those with a
/// priority. Unless said otherwise its functions are called with the pool's lock.
class SharedQueue {
 public:
  /// By anybody: a task without a priority, as InjectionQueue::push().
  bool push(TaskPtr& task) { return in_order_.push(task); }

  void push_ordered(TaskPtr task) {
    const std::uint64_t number = in_order_.push_gap();
    others_.push(std::move(task), number);
    others_count_.store(others_.size(), std::memory_order_seq_cst);
  }

  /// Takes up to `count`, but one at a time while there are priorities.
  std::size_t pop(TaskBase** out, std::size_t count) noexcept {
    if (others_.empty()) return in_order_.pop(out, count);
    if (!others_.is_before(in_order_.first_number()) && in_order_.pop(out, 1) == 1) return 1;
    *out = others_.pop().release();
    others_count_.store(others_.size(), std::memory_order_relaxed);
    return 1;
  }
  TaskPtr pop() noexcept {
    TaskBase* task = nullptr;
    pop(&task, 1);
    return TaskPtr(task);
  }

  void close() noexcept { in_order_.close(); }

  /// By anybody.
  std::size_t size() const noexcept {
    return in_order_.size() + others_count_.load(std::memory_order_seq_cst);
  }

 private:
  InjectionQueue in_order_;
  TaskHeap others_;
  std::atomic<std::size_t> others_count_{0};
};

}  // namespace muster::detail
