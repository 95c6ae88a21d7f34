#include <algorithm>

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
    const std::int64_t earlier = added->priority * overtaken_per_step;
    others_.push_back({static_cast<std::int64_t>(pushed_) - earlier, added});
    std::push_heap(others_.begin(), others_.end());
  } else {
    added->next = nullptr;
    (last_ != nullptr ? last_->next : first_) = added;
    last_ = added;
  }
  task.release();
  ++pushed_;
  ++size_;
}

void TaskQueue::push_front(TaskPtr task) {
  task->sequence = 0;
  task->next = first_;
  if (last_ == nullptr) last_ = task.get();
  first_ = task.release();
  ++size_;
}

TaskBase* TaskQueue::pop_first() noexcept {
  TaskBase* const taken = first_;
  first_ = taken->next;
  if (first_ == nullptr) last_ = nullptr;
  return taken;
}

TaskPtr TaskQueue::pop() {
  if (size_ == 0) return {};
  --size_;
  const bool ordered_first =
      !others_.empty() &&
      (first_ == nullptr || others_.front().place < static_cast<std::int64_t>(first_->sequence));
  if (!ordered_first) return TaskPtr(pop_first());
  std::pop_heap(others_.begin(), others_.end());
  TaskBase* const taken = others_.back().task;
  others_.pop_back();
  return TaskPtr(taken);
}

}  // namespace muster::detail
