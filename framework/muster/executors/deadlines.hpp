#pragma once

#include <optional>

#include <muster/base/clock.hpp>
#include <muster/executors/task.hpp>

namespace muster::detail {

// The deadlines of TaskOptions, for every executor. A task without any pays for a look at whether
// it has extras.
//
// Until a task's function is entered, and in a task process also later, the timer ends it: by way
// of whoever controls it (WorkControl::expire), or by claiming it before those that run it do. What
// runs in a thread of this process cannot be ended: invoke_within_deadlines() sees to that.

/// The deadline of the task that the calling thread runs; null if it has none.
inline constinit thread_local const TimePoint* deadline_of_this_task = nullptr;

/// Sets deadline_of_this_task for a while.
class DeadlineScope {
 public:
  explicit DeadlineScope(const TimePoint* deadline) noexcept : before_(deadline_of_this_task) {
    deadline_of_this_task = deadline;
  }
  DeadlineScope(const DeadlineScope&) = delete;
  DeadlineScope& operator=(const DeadlineScope&) = delete;
  ~DeadlineScope() { deadline_of_this_task = before_; }

 private:
  const TimePoint* before_;
};

/// Has the timer watch over a new task, which has its options and is not queued yet. Its deadline
/// is at the latest that of the task which the calling thread runs.
void arm_deadlines(TaskBase& task);

/// The same for a task without options of its own.
inline void inherit_deadline(TaskBase& task) {
  if (deadline_of_this_task != nullptr) arm_deadlines(task);
}

/// Whether the timer may end the task. If so, at a deadline it destroys function and arguments of
/// one that nobody controls.
bool has_deadline(const TaskBase& task) noexcept;

/// Ends the task if a deadline of it has passed: for whoever controlled it meanwhile and did not
/// let the timer do so.
void expire_if_due(TaskBase& task);

/// TaskBase::invoke() of a task with extras, in this process: not after a deadline; and if one
/// passes meanwhile, the task's stop token is triggered, and its outcome is DeadlineError.
void invoke_within_deadlines(TaskBase& task) noexcept;

/// What runs a task in this process.
inline void invoke_task(TaskBase& task) noexcept {
  if (task.extras_if_any() == nullptr) {
    task.invoke();
  } else {
    invoke_within_deadlines(task);
  }
}

}  // namespace muster::detail
