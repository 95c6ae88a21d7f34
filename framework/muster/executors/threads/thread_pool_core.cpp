#include <cstdio>
#include <thread>

#include <fmt/format.h>

#include <muster/base/cpu_count.hpp>
#include <muster/base/error.hpp>
#include <muster/executors/deadlines.hpp>
#include <muster/executors/errors.hpp>
#include <muster/executors/threads/thread_pool_core.hpp>
#include <muster/executors/timer.hpp>

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

ThreadPoolCore::ThreadPoolCore(ThreadPoolOptions options) : options_(checked(std::move(options))) {
  update_wanted();
}

ThreadPoolCore::~ThreadPoolCore() = default;

void ThreadPoolCore::execute(TaskPtr task) {
  refuse_if_forked();
  task->home.store(this, std::memory_order_release);
  ThreadWorker* const self = worker_of_this_thread;
  const bool is_own = self != nullptr && &self->core() == this;
  if (task->priority != 0 || (options_.queue_max != 0 && !is_own)) {
    push_with_lock(std::move(task), is_own);
  } else if (is_own) {
    push_own(*self, std::move(task));
  } else {
    push_in_order(std::move(task));
  }
}

void ThreadPoolCore::push_own(ThreadWorker& self, TaskPtr task) {
  if (closed_.load(std::memory_order_relaxed)) throw_if_closed();
  self.deque.push(task.get());
  task.release();
  std::atomic_signal_fence(std::memory_order_seq_cst);  // see the rules: the other side has it run
  if (wanted_.load(std::memory_order_relaxed) != 0) look_for_thread();
}

void ThreadPoolCore::push_in_order(TaskPtr task) {
  if (!queue_.push(task)) throw_if_closed();
  if (wanted_.load(std::memory_order_seq_cst) != 0) look_for_thread();
}

void ThreadPoolCore::push_with_lock(TaskPtr task, bool may_exceed) {
  Lock lock(mutex_);
  throw_if_closed();
  if (options_.queue_max != 0 && !may_exceed && is_full() && !find_room(lock)) {
    lock.unlock();
    if (!task->start()) return;
    invoke_task(*task);
    finish(std::move(task)).run();
    return;
  }
  if (task->priority != 0) {
    queue_.push_ordered(std::move(task));
  } else if (!queue_.push(task)) {
    throw_if_closed();
  }
  if (wanted_.load(std::memory_order_relaxed) != 0) add_threads(lock);
}

// Tasks that a thread is about to take do not count. With the lock.
bool ThreadPoolCore::is_full() const {
  if (queue_.size() < options_.queue_max) return false;
  const unsigned taken = wanted_.load(std::memory_order_relaxed) + free_threads();
  return queue_.size() >= options_.queue_max + taken;
}

// Nobody would run the task. But a pool that has had none yet is as good in a task process.
void ThreadPoolCore::refuse_if_forked() {
  if (is_here()) return;
  if (threads_.load(std::memory_order_relaxed) == 0) {
    home_process_.move_here();
    return;
  }
  throw Error(ErrorCode::usage,
              "a forked child cannot use its parent's thread pool: the threads are not here",
              "make a pool in the child");
}

// False: the caller is to run the task.
bool ThreadPoolCore::find_room(Lock& lock) {
  if (Timer::is_current_thread()) return true;  // see OnFull
  switch (options_.on_full) {
    case OnFull::raise:
      throw QueueFullError(fmt::format(
          "{} tasks wait for a thread already, as many as queue_max allows", options_.queue_max));
    case OnFull::run_in_caller:
      return false;
    case OnFull::block:
      break;
  }
  await_room(lock);
  return true;
}

void ThreadPoolCore::await_room(Lock& lock) {
  // Without the lock another pool is told that its thread is back, and the room may be gone again.
  while (is_full()) {
    lock.unlock();
    {
      const WaitScope scope({});  // the thread may be one of another pool
      lock.lock();
      ++room_waiters_;
      // For ever, as asked: every task ends.
      room_.wait(lock, [this] { return closed_.load(std::memory_order_relaxed) || !is_full(); });
      --room_waiters_;
      lock.unlock();
    }
    lock.lock();
    throw_if_closed();
  }
}

// No task is in a queue or in a thread. With the lock. A thread is parked only when its task and
// the callbacks of that have ended.
bool ThreadPoolCore::is_idle() const {
  const std::size_t threads = threads_.load(std::memory_order_relaxed);
  return queue_.size() == 0 && parked_.size() + ended_ == threads && !any_deque_has_work();
}

bool ThreadPoolCore::drain(std::optional<Duration> timeout) {
  refuse_if_forked();
  const ThreadWorker* const self = worker_of_this_thread;
  if (self != nullptr && &self->core() == this) {
    throw Error(ErrorCode::usage,
                "a thread of a pool cannot wait until the pool has nothing to do");
  }
  run_callbacks_put_aside();
  const WaitScope scope({});  // the thread may be one of another pool
  Lock lock(mutex_);
  const auto idle = [this] { return is_idle(); };
  ++drainers_;
  bool is_drained = true;
  if (timeout) {
    is_drained = idle_.wait_until(lock, deadline_after(Clock::now(), *timeout), idle);
  } else {
    idle_.wait(lock, idle);  // for ever, as asked: every task ends
  }
  --drainers_;
  return is_drained;
}

// With the lock, or after closed_ was seen, from when on the reason does not change.
void ThreadPoolCore::throw_if_closed() const {
  if (!closed_.load(std::memory_order_acquire)) return;
  if (broken_) throw BrokenExecutor(*broken_);
  throw Error(ErrorCode::broken, "a task was submitted to a thread pool after its shutdown");
}

bool ThreadPoolCore::run_nested(TaskBase& task) noexcept {
  ThreadWorker* const self = worker_of_this_thread;
  if (self == nullptr || &self->core() != this || !is_here()) return false;
  // Mostly it was submitted last. Left in the deque it would keep its memory until it comes up
  // there, which for recursive work is at the end of all.
  TaskPtr taken(self->deque.pop_if_last(&task) ? &task : nullptr);
  if (!task.start()) return false;
  const DeadlineScope scope(nullptr);  // the awaiting task's is not this one's
  self->run(taken ? std::move(taken) : TaskPtr::share(task));
  return true;
}

void ThreadPoolCore::shutdown(bool wait, bool cancel_pending) {
  if (!is_here()) return;
  const ThreadWorker* const self = worker_of_this_thread;
  if (wait && self != nullptr && &self->core() == this) {
    throw Error(ErrorCode::usage, "a thread of a pool cannot wait for the pool's shutdown",
                "call shutdown(false), or shut it down elsewhere");
  }
  {
    const Lock lock(mutex_);
    closed_.store(true, std::memory_order_release);
    queue_.close();
    for (ThreadWorker* each : parked_) each->wake();
    parked_.clear();
    update_wanted();
    room_.notify_all();
  }
  if (cancel_pending) cancel_all_pending();
  if (wait) join();
}

// What is left in the queue, one by one: whoever ends them runs callbacks, and holds no lock.
TaskPtr ThreadPoolCore::pop_last() {
  while (queue_.size() != 0) {
    {
      const Lock lock(mutex_);
      if (TaskPtr task = queue_.pop()) return task;
    }
    std::this_thread::yield();  // bounded: somebody is about to have pushed it
  }
  return {};
}

void ThreadPoolCore::cancel_all_pending() {
  while (TaskPtr task = pop_last()) end_as_cancelled(std::move(task));
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

void ThreadPoolCore::break_pool(const std::exception_ptr& error) {
  std::string what = "what is no std::exception";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& caught) {
    what = caught.what();
  } catch (...) {
    // `what` says so already.
  }
  std::fprintf(stderr, "muster: a thread pool's initializer threw: %s\n", what.c_str());
  const std::string reason = fmt::format("the thread pool's initializer threw: {}", what);
  {
    const Lock lock(mutex_);
    if (!closed_.load(std::memory_order_relaxed)) broken_ = reason;
    closed_.store(true, std::memory_order_release);
    queue_.close();
    for (ThreadWorker* each : parked_) each->wake();
    parked_.clear();
    update_wanted();
    room_.notify_all();
  }
  fail_queued(std::make_exception_ptr(BrokenExecutor(reason)));
}

void ThreadPoolCore::fail_queued(const std::exception_ptr& error) {
  while (TaskPtr task = pop_last()) end_with(std::move(task), error);
}

/// Nobody would run what is queued. As soon as another submission gets a thread, that runs the
/// rest.
void ThreadPoolCore::fail_queued_without_threads() {
  std::exception_ptr error;
  try {
    throw Error(ErrorCode::broken, "a thread pool could not start its first thread",
                "raise the limits on processes and memory (ulimit -u, ulimit -v)");
  } catch (...) {
    error = std::current_exception();
  }
  for (;;) {
    TaskPtr task;
    {
      const Lock lock(mutex_);
      if (threads_.load(std::memory_order_relaxed) == 0) task = queue_.pop();
      if (!task) {
        room_.notify_all();
        idle_.notify_all();
        return;
      }
    }
    end_with(std::move(task), error);
  }
}

unsigned ThreadPoolCore::thread_count() const {
  const Lock lock(mutex_);
  return threads_.load(std::memory_order_relaxed) - ended_;
}

}  // namespace muster::detail
