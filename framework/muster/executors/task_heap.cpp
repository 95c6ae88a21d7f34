#include <algorithm>

#include <muster/executors/task_heap.hpp>

namespace muster::detail {
namespace {

constexpr std::int64_t overtaken_per_step = 1000;

}  // namespace

TaskHeap::~TaskHeap() {
  while (!empty()) pop();
}

void TaskHeap::push(TaskPtr task, std::uint64_t number) {
  const std::int64_t earlier = task->priority * overtaken_per_step;
  entries_.push_back({static_cast<std::int64_t>(number) - earlier, number, task.get()});
  std::push_heap(entries_.begin(), entries_.end());
  task.release();
}

TaskPtr TaskHeap::pop() noexcept {
  std::pop_heap(entries_.begin(), entries_.end());
  TaskPtr first(entries_.back().task);
  entries_.pop_back();
  return first;
}

}  // namespace muster::detail
