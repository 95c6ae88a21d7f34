#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include <muster/base/cpu_count.hpp>
#include <muster/base/error.hpp>
#include <muster/executors/threads/thread_pool_core.hpp>

namespace muster::detail {
namespace {

ThreadPoolOptions checked(ThreadPoolOptions options) {
  if (options.max_workers == 0) options.max_workers = usable_cpus();
  if (options.max_workers > ThreadPoolCore::threads_max) {
    throw Error(ErrorCode::usage,
                fmt::format("a thread pool of {} threads was asked for", options.max_workers),
                fmt::format("give at most {}", ThreadPoolCore::threads_max));
  }
  return options;
}

void end_as_cancelled(TaskPtr task) { task->state().cancel(); }

void end_with(TaskPtr task, const std::exception_ptr& error) {
  if (!task->start()) return;
  task->refuse(error);
  finish(std::move(task)).run();
}

}  // namespace

ThreadPoolCore::ThreadPoolCore(ThreadPoolOptions options)
    : options_(checked(std::move(options))), pid_(::getpid()) {
  update_wanted();
}

ThreadPoolCore::~ThreadPoolCore() {
  if (::getpid() == pid_) return;
  // A forked child has none of the threads: their handles must not be destroyed as if it had.
  for (auto& each : workers_) static_cast<void>(each.release());
}

void ThreadPoolCore::execute(TaskPtr task) {
  task->home.store(this, std::memory_order_release);
  ThreadWorker* const self = ThreadWorker::of_this_thread();
  if (self == nullptr || &self->core() != this || task->priority != 0) {
    push_shared(std::move(task));
    return;
  }
  if (closed_.load(std::memory_order_relaxed)) throw_if_closed();
  self->deque.push(task.get());
  task.release();
  std::atomic_signal_fence(std::memory_order_seq_cst);  // see the rules: the other side has it run
  if (wanted_.load(std::memory_order_relaxed) != 0) look_for_thread();
}

void ThreadPoolCore::push_shared(TaskPtr task) {
  Lock lock(mutex_);
  throw_if_closed();
  queue_.push(std::move(task));
  queued_.store(queue_.size(), std::memory_order_relaxed);
  if (wanted_.load(std::memory_order_relaxed) != 0) add_threads(lock);
}

// With the lock, or after closed_ was seen, from when on the reason does not change.
void ThreadPoolCore::throw_if_closed() const {
  if (!closed_.load(std::memory_order_acquire)) return;
  if (broken_) throw Error(ErrorCode::broken, *broken_);
  throw Error(ErrorCode::broken, "a task was submitted to a thread pool after its shutdown");
}

bool ThreadPoolCore::run_nested(TaskBase& task) noexcept {
  ThreadWorker* const self = ThreadWorker::of_this_thread();
  if (self == nullptr || &self->core() != this) return false;
  // Mostly it was submitted last. Left in the deque it would keep its memory until it comes up
  // there, which for recursive work is at the end of all.
  TaskPtr taken(self->deque.pop_if_last(&task) ? &task : nullptr);
  if (!task.start()) return false;
  const DeadlineScope scope(nullptr);  // the awaiting task's is not this one's
  self->run(taken ? std::move(taken) : TaskPtr::share(task));
  return true;
}

void ThreadPoolCore::shutdown(bool wait, bool cancel_pending) {
  if (::getpid() != pid_) return;
  const ThreadWorker* const self = ThreadWorker::of_this_thread();
  if (wait && self != nullptr && &self->core() == this) {
    throw Error(ErrorCode::usage, "a thread of a pool cannot wait for the pool's shutdown",
                "call shutdown(false), or shut it down elsewhere");
  }
  {
    const Lock lock(mutex_);
    closed_.store(true, std::memory_order_release);
    for (ThreadWorker* each : parked_) each->wake();
    parked_.clear();
    update_wanted();
  }
  if (cancel_pending) cancel_all_pending();
  if (wait) join();
}

void ThreadPoolCore::cancel_all_pending() {
  // Callbacks run here, so no lock is held.
  const auto next_shared = [this] {
    const Lock lock(mutex_);
    TaskPtr task = queue_.pop();
    queued_.store(queue_.size(), std::memory_order_relaxed);
    return task;
  };
  for (TaskPtr task = next_shared(); task; task = next_shared()) end_as_cancelled(std::move(task));
  for (unsigned i = 0; i < threads_.load(std::memory_order_acquire); ++i) {
    // A lost race for one task is a retry, so this ends when the deque is seen empty.
    while (!workers_[i]->deque.empty()) {
      TaskPtr task(workers_[i]->deque.steal());
      if (task) end_as_cancelled(std::move(task));
    }
  }
}

void ThreadPoolCore::join() {
  const std::lock_guard joining(join_mutex_);
  // A thread that runs may still be given a spare one, so the number may grow meanwhile.
  for (unsigned i = 0; i < threads_.load(std::memory_order_acquire); ++i) {
    if (workers_[i]->thread.joinable()) workers_[i]->thread.join();
  }
}

void ThreadPoolCore::break_pool(std::exception_ptr error) {
  std::string what = "what is no std::exception";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& caught) {
    what = caught.what();
  } catch (...) {
    // `what` says so already.
  }
  std::fprintf(stderr, "muster: a thread pool's initializer threw: %s\n", what.c_str());
  {
    const Lock lock(mutex_);
    if (!broken_) broken_ = fmt::format("the thread pool's initializer threw: {}", what);
    closed_.store(true, std::memory_order_release);
    for (ThreadWorker* each : parked_) each->wake();
    parked_.clear();
    update_wanted();
  }
  const auto failure = std::make_exception_ptr(Error(ErrorCode::broken, *broken_));
  const auto next_shared = [this] {
    const Lock lock(mutex_);
    TaskPtr task = queue_.pop();
    queued_.store(queue_.size(), std::memory_order_relaxed);
    return task;
  };
  for (TaskPtr task = next_shared(); task; task = next_shared()) end_with(std::move(task), failure);
}

unsigned ThreadPoolCore::thread_count() const {
  const Lock lock(mutex_);
  return threads_.load(std::memory_order_relaxed) - ended_;
}

}  // namespace muster::detail
