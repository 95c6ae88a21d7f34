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
  Frame frame{&task->state(), frames_};
  frames_ = &frame;
  set_in_function(true);
  invoke_task(*task);
  frames_ = frame.outer;
  if (frames_ == nullptr) set_in_function(false);
  finish(std::move(task)).run();
}

void ThreadWorker::before_wait(SharedStateBase* awaited) { core_.block(*this, awaited); }

void ThreadWorker::after_wait() noexcept { core_.unblock(*this); }

void ThreadWorker::sleep_until_woken() noexcept {
  while (woken_.exchange(0, std::memory_order_acquire) == 0) futex_wait(woken_, 0);
}

void ThreadWorker::wake() noexcept {
  woken_.store(1, std::memory_order_release);
  futex_wake_one(woken_);
}

bool ThreadWorker::is_inside(const SharedStateBase& state) const noexcept {
  for (const Frame* frame = frames_; frame != nullptr; frame = frame->outer) {
    if (frame->state == &state) return true;
  }
  return false;
}

}  // namespace muster::detail
