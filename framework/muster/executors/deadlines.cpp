#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <muster/executors/deadlines.hpp>
#include <muster/executors/timer.hpp>
#include <muster/futures/errors.hpp>

namespace muster::detail {
namespace {

std::string milliseconds(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) +
         " ms";
}

std::exception_ptr late_start(const TaskExtras& extras) {
  return std::make_exception_ptr(DeadlineError(extras.called() +
                                               " was not started within its queue_timeout "
                                               "of " +
                                               milliseconds(*extras.options.queue_timeout)));
}

std::exception_ptr late_end(const TaskExtras& extras) {
  return std::make_exception_ptr(DeadlineError(
      extras.deadline_is_inherited
          ? extras.called() + " was not done by the deadline of the task that submitted it"
          : extras.called() + " was not done within its total_timeout of " +
                milliseconds(*extras.options.total_timeout)));
}

std::exception_ptr long_run(const TaskExtras& extras) {
  return std::make_exception_ptr(DeadlineError(extras.called() +
                                               " ran for longer than its run_timeout of " +
                                               milliseconds(*extras.options.run_timeout)));
}

// Cancels what the timer was to do about a task that is done.
class Disarm final : public CallbackBase {
 public:
  Disarm(TimerEntry queue, TimerEntry total) : queue_(queue), total_(total) {}
  void run(SharedStateBase& /*state*/) override {
    Timer& timer = Timer::of_this_process();
    timer.cancel(queue_);
    timer.cancel(total_);
  }

 private:
  TimerEntry queue_;
  TimerEntry total_;
};

// What has passed of a task that has not been entered this time, and what its error is then.
struct Passed {
  std::exception_ptr error;
  bool is_total;
};
std::optional<Passed> passed_deadline(const TaskExtras& extras, TimePoint now) {
  if (extras.total_deadline && now >= *extras.total_deadline) return Passed{late_end(extras), true};
  const bool is_first_run = extras.retries.load(std::memory_order_relaxed) == 0;
  if (!is_first_run || !extras.queue_deadline || now < *extras.queue_deadline) return std::nullopt;
  return Passed{late_start(extras), false};
}

// For good: a queue may still refer to it, so no watch may have it run again.
void refuse_late(TaskBase& task, std::exception_ptr error) noexcept {
  task.extras().expired = true;
  task.refuse(std::move(error));
}

// Ends a task wherever it is, but for one that runs in this process. It may change hands meanwhile.
void expire(TaskPtr task, const std::exception_ptr& error, bool also_running) {
  std::shared_ptr<WorkControl> asked;
  for (;;) {
    std::shared_ptr<WorkControl> control;
    if (task->state().claim_uncontrolled(control)) {
      refuse_late(*task, error);
      finish(std::move(task)).run();
      return;
    }
    if (control == nullptr || control == asked) return;
    if (control->expire(task->state(), error, also_running)) return;
    asked = std::move(control);
  }
}

TimerEntry expire_at(TimePoint when, TaskBase& task, bool also_running) {
  return Timer::of_this_process().call_at(
      when, [task = TaskPtr::share(task), also_running]() mutable {
        const TaskExtras& extras = task->extras();
        const bool too_late = !also_running && extras.retries.load(std::memory_order_relaxed) != 0;
        if (too_late) return;  // it has been started: the queue's time is over
        const std::exception_ptr error = also_running ? late_end(extras) : late_start(extras);
        expire(std::move(task), error, also_running);
      });
}

// Between the timer and the thread that runs the task.
struct RunLimit {
  std::mutex mutex;
  bool ended = false;
  bool is_over = false;
};

// True if it ended in time.
bool invoke_until(TaskBase& task, TimePoint limit) {
  const auto run = std::make_shared<RunLimit>();
  Timer& timer = Timer::of_this_process();
  const TimerEntry entry = timer.call_at(limit, [run, task = TaskPtr::share(task)] {
    const std::lock_guard lock(run->mutex);
    if (run->ended) return;
    run->is_over = true;
    task->trigger_stop();
  });
  task.invoke();
  timer.cancel(entry);
  const std::lock_guard lock(run->mutex);
  run->ended = true;
  return !run->is_over;
}

}  // namespace

void arm_deadlines(TaskBase& task) {
  TaskExtras& extras = task.extras();
  const TimePoint* const inherited = deadline_of_this_task;
  if (inherited != nullptr && (!extras.total_deadline || *inherited < *extras.total_deadline)) {
    extras.total_deadline = *inherited;
    extras.deadline_is_inherited = true;
  }
  TimerEntry queue;
  TimerEntry total;
  if (extras.queue_deadline) queue = expire_at(*extras.queue_deadline, task, false);
  if (extras.total_deadline) total = expire_at(*extras.total_deadline, task, true);
  if (extras.queue_deadline || extras.total_deadline) {
    task.state().add_callback(std::make_unique<Disarm>(queue, total));
  }
}

bool has_deadline(const TaskBase& task) noexcept {
  const TaskExtras* const extras = task.extras_if_any();
  return extras != nullptr && (extras->total_deadline || extras->queue_deadline);
}

void expire_if_due(TaskBase& task) {
  const TaskExtras* const extras = task.extras_if_any();
  if (extras == nullptr) return;
  if (const auto passed = passed_deadline(*extras, Clock::now())) {
    expire(TaskPtr::share(task), passed->error, passed->is_total);
  }
}

void invoke_within_deadlines(TaskBase& task) noexcept {
  const TaskExtras& extras = *task.extras_if_any();
  const std::optional<TimePoint>& total = extras.total_deadline;
  const DeadlineScope scope(total ? &*total : nullptr);
  if (!total && !extras.queue_deadline && !extras.options.run_timeout) {
    task.invoke();
    return;
  }
  const TimePoint now = Clock::now();
  if (const auto passed = passed_deadline(extras, now)) {
    refuse_late(task, passed->error);
  } else {
    const TimePoint run_end = extras.options.run_timeout
                                  ? deadline_after(now, *extras.options.run_timeout)
                                  : TimePoint::max();
    const TimePoint limit = total ? std::min(*total, run_end) : run_end;
    if (limit == TimePoint::max()) {
      task.invoke();
      return;
    }
    try {
      if (invoke_until(task, limit)) return;
      if (limit == run_end) {
        task.refuse(long_run(extras));
      } else {
        refuse_late(task, late_end(extras));
      }
    } catch (...) {
      task.refuse(std::current_exception());  // it was not entered: the timer cannot be used
    }
  }
}

}  // namespace muster::detail
