#include <muster/executors/deadlines.hpp>
#include <muster/executors/task.hpp>

namespace muster::detail {

TaskHome*& TaskHome::of_this_thread() noexcept {
  thread_local TaskHome* home = nullptr;
  return home;
}

DoneCallbacks finish(TaskPtr task) noexcept {
  const TaskExtras* extras = task->extras_if_any();
  TaskWatch* watch = extras != nullptr ? extras->watches.get() : nullptr;
  while (watch != nullptr) {
    TaskWatch* const outer = watch->outer();
    watch->on_outcome(task);
    if (!task) return {};  // taken back, and the watch with it
    watch = outer;
  }
  return task.release()->complete_and_drop();
}

void set_options(TaskBase& task, const TaskOptions& options) {
  task.priority = options.priority;
  const bool needs_more = options.queue_timeout || options.run_timeout || options.total_timeout ||
                          options.retries.worker_lost != 0 || options.retries.out_of_memory != 0 ||
                          options.fresh_process || !options.name.empty();
  if (!needs_more) {
    inherit_deadline(task);
    return;
  }
  TaskExtras& extras = task.extras();
  extras.options = options;
  const TimePoint now = Clock::now();
  if (options.queue_timeout) extras.queue_deadline = deadline_after(now, *options.queue_timeout);
  if (options.total_timeout) extras.total_deadline = deadline_after(now, *options.total_timeout);
  arm_deadlines(task);
}

void execute_armed(TaskSink& sink, TaskPtr task) {
  const TaskPtr shared = TaskPtr::share(*task);
  try {
    sink.execute(std::move(task));
  } catch (...) {
    shared->state().cancel();
    throw;
  }
}

}  // namespace muster::detail
