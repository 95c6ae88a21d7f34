#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <muster/executors/task.hpp>

namespace muster::detail {

/// Tasks that wait for a thread: first in, first out, but for priorities. Not thread-safe.
///
/// A task of priority p is ordered as if it had come 1,000 p tasks earlier. That place never
/// changes, so later tasks overtake it a bounded number of times (aging), and no clock is read.
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

  /// What so many calls of pop() would give, faster. Not while has_priorities().
  void pop_many(TaskBase** out, std::size_t count) noexcept;

  std::size_t size() const noexcept { return size_; }
  bool has_priorities() const noexcept { return !others_.empty(); }

 private:
  struct Ordered {
    std::int64_t place;
    TaskBase* task;
    friend bool operator<(const Ordered& a, const Ordered& b) noexcept {  // of a max-heap
      return a.place != b.place ? a.place > b.place : a.task->sequence > b.task->sequence;
    }
  };

  TaskBase* pop_first() noexcept;
  void push_ordered(TaskBase& task);

  // Most tasks have priority 0: they are in order already. Pointers, and not a list through the
  // tasks: what another core wrote would be fetched line by line, with the pool's lock held.
  std::deque<TaskBase*> in_order_;
  std::vector<Ordered> others_;  // a heap
  std::uint64_t pushed_ = 0;
  std::size_t size_ = 0;
};

}  // namespace muster::detail
