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
  return task->complete();
}

void set_options(TaskBase& task, const TaskOptions& options) {
  task.priority = options.priority;
  const bool needs_more = options.queue_timeout || options.run_timeout || options.total_timeout ||
                          options.retries.worker_lost != 0 || options.retries.out_of_memory != 0 ||
                          options.fresh_process;
  if (needs_more) task.extras().options = options;
}

}  // namespace muster::detail
