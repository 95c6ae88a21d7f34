#include <utility>

#include <muster/executors/deadlines.hpp>
#include <muster/executors/threads/thread_pool_core.hpp>
#include <muster/executors/threads/thread_worker.hpp>

namespace muster::detail {
ThreadWorker::ThreadWorker(ThreadPoolCore& core, unsigned number, bool spin_pays)
    : spin(spin_pays), random(number + 1), core_(core), number_(number) {}

void ThreadWorker::enter_thread() noexcept {
  worker_of_this_thread = this;
  WaitHelper::of_this_thread() = this;
  TaskHome::of_this_thread() = &core_;
}

void ThreadWorker::run(TaskPtr task) noexcept {
  TaskFrame frame{&task->state(), sleeper_.tasks};
  sleeper_.tasks = &frame;
  set_in_function(true);
  invoke_task(*task);
  sleeper_.tasks = frame.outer;
  const bool is_free = frame.outer == nullptr && !in_callbacks_;
  if (is_free) set_in_function(false);
  DoneCallbacks due = finish(std::move(task));
  if (due.empty()) return;
  if (is_free) {
    // Who submitted something since may count on this thread, which callbacks keep busy.
    set_in_function(true);
    core_.take_over_from_this_thread();
  }
  const bool outer_callbacks = std::exchange(in_callbacks_, true);
  due.run();
  in_callbacks_ = outer_callbacks;
  if (is_free) set_in_function(false);
}

void ThreadWorker::before_wait(std::span<SharedStateBase* const> awaited) {
  if (!core_.is_here()) return;  // a task has forked
  if (waits_ == 0) {
    sleeper_.awaited = awaited;
    if (!awaited.empty()) WaitGraph::of_process().enter(sleeper_);
    try {
      core_.block();
    } catch (...) {
      leave_graph();
      throw;
    }
  }
  ++waits_;
}

void ThreadWorker::after_wait() noexcept {
  if (!core_.is_here() || --waits_ != 0) return;
  leave_graph();
  core_.unblock();
}

void ThreadWorker::leave_graph() noexcept {
  if (!sleeper_.awaited.empty()) WaitGraph::of_process().leave(sleeper_);
}

bool ThreadWorker::can_be_replaced() const noexcept { return core_.may_start_thread(); }

void ThreadWorker::sleep_until_woken() noexcept {
  while (woken_.exchange(0, std::memory_order_acquire) == 0) futex_wait(woken_, 0);
}

void ThreadWorker::wake() noexcept {
  woken_.store(1, std::memory_order_release);
  futex_wake_one(woken_);
}

}  // namespace muster::detail
