#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <muster/executors/task.hpp>

namespace muster::detail {

/// Tasks with a priority, among tasks that wait first in, first out. Not thread-safe.
///
/// A task of priority p is ordered as if it had come 1,000 p tasks earlier. That place never
/// changes, so later tasks overtake it a bounded number of times (aging), and no clock is read.
class TaskHeap {
 public:
  TaskHeap() = default;
  TaskHeap(const TaskHeap&) = delete;
  TaskHeap& operator=(const TaskHeap&) = delete;
  ~TaskHeap();

  /// `number` is how many tasks of any kind came before it.
  void push(TaskPtr task, std::uint64_t number);
  TaskPtr pop() noexcept;  ///< the first; not if empty()

  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }

  /// The first comes before a task without a priority before which `number` came. Not if empty().
  bool is_before(std::uint64_t number) const noexcept {
    return entries_.front().place < static_cast<std::int64_t>(number);
  }

 private:
  struct Entry {
    std::int64_t place;
    std::uint64_t number;
    TaskBase* task;
    friend bool operator<(const Entry& a, const Entry& b) noexcept {  // of a max-heap
      return a.place != b.place ? a.place > b.place : a.number > b.number;
    }
  };

  std::vector<Entry> entries_;
};

}  // namespace muster::detail
