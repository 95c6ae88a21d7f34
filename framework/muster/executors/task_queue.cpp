#include <muster/executors/task_queue.hpp>

namespace muster::detail {

TaskQueue::~TaskQueue() {
  while (pop()) {
  }
}

void TaskQueue::push(TaskPtr task) {
  task->sequence = pushed_;
  if (task->priority != 0) {
    others_.push(std::move(task), pushed_);
  } else {
    in_order_.push_back(task.get());
    task.release();
  }
  ++pushed_;
}

void TaskQueue::put_back(TaskPtr task) {
  if (task->priority != 0) {
    const std::uint64_t number = task->sequence;
    others_.push(std::move(task), number);
  } else {
    in_order_.push_front(task.get());
    task.release();
  }
}

TaskPtr TaskQueue::pop() {
  if (in_order_.empty()) return others_.empty() ? TaskPtr() : others_.pop();
  if (!others_.empty() && others_.is_before(in_order_.front()->sequence)) return others_.pop();
  TaskPtr first(in_order_.front());
  in_order_.pop_front();
  return first;
}

}  // namespace muster::detail
