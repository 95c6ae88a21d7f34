#include <algorithm>

#include <muster/base/assert.hpp>
#include <muster/executors/task_queue.hpp>

namespace muster::detail {
namespace {

constexpr std::int64_t overtaken_per_step = 1000;

}  // namespace

TaskQueue::~TaskQueue() {
  while (pop()) {
  }
}

void TaskQueue::push(TaskPtr task) {
  TaskBase* const added = task.get();
  added->sequence = pushed_;
  if (added->priority != 0) {
    push_ordered(*added);
  } else {
    in_order_.push_back(added);
  }
  task.release();
  ++pushed_;
  ++size_;
}

void TaskQueue::put_back(TaskPtr task) {
  if (task->priority != 0) {
    push_ordered(*task);
  } else {
    in_order_.push_front(task.get());
  }
  task.release();
  ++size_;
}

void TaskQueue::push_ordered(TaskBase& task) {
  const std::int64_t earlier = task.priority * overtaken_per_step;
  others_.push_back({static_cast<std::int64_t>(task.sequence) - earlier, &task});
  std::push_heap(others_.begin(), others_.end());
}

TaskBase* TaskQueue::pop_first() noexcept {
  TaskBase* const taken = in_order_.front();
  in_order_.pop_front();
  return taken;
}

void TaskQueue::pop_many(TaskBase** out, std::size_t count) noexcept {
  MUSTER_ASSERT(others_.empty() && count <= size_);
  const auto end = in_order_.begin() + static_cast<std::ptrdiff_t>(count);
  std::copy(in_order_.begin(), end, out);
  in_order_.erase(in_order_.begin(), end);
  size_ -= count;
}

TaskPtr TaskQueue::pop() {
  if (size_ == 0) return {};
  --size_;
  const bool ordered_first =
      !others_.empty() &&
      (in_order_.empty() ||
       others_.front().place < static_cast<std::int64_t>(in_order_.front()->sequence));
  if (!ordered_first) return TaskPtr(pop_first());
  std::pop_heap(others_.begin(), others_.end());
  TaskBase* const taken = others_.back().task;
  others_.pop_back();
  return TaskPtr(taken);
}

}  // namespace muster::detail
