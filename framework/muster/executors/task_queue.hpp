#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include <muster/executors/task.hpp>
#include <muster/executors/task_heap.hpp>

namespace muster::detail {

/// Tasks that wait for a process: first in, first out, but for priorities (TaskHeap). Not
/// thread-safe.
class TaskQueue {
 public:
  TaskQueue() = default;
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;
  ~TaskQueue();

  void push(TaskPtr task);
  /// Back to where it was, before all of its priority: for a task that had left the queue.
  void put_back(TaskPtr task);
  TaskPtr pop();  ///< empty if there is none

  std::size_t size() const noexcept { return in_order_.size() + others_.size(); }

 private:
  // Most tasks have priority 0: they are in order already. Pointers, and not a list through the
  // tasks: what another core wrote would be fetched line by line, with the pool's lock held.
  std::deque<TaskBase*> in_order_;
  TaskHeap others_;
  std::uint64_t pushed_ = 0;
};

}  // namespace muster::detail
