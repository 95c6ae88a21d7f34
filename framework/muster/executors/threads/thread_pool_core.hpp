#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <muster/base/forks.hpp>
#include <muster/executors/thread_pool.hpp>
#include <muster/executors/threads/shared_queue.hpp>
#include <muster/executors/threads/thread_worker.hpp>

namespace muster::detail {

/// The pool behind ThreadPoolExecutor.
///
/// Every thread has a deque for the tasks that its own tasks submit; all others go through one
/// queue, from which threads take several at once when many wait.
///
/// Rules, and why:
/// - `mutex_` guards the taking side of the queue, the list of parked threads and all counts of
///   threads. Who submits takes it only for a priority, in a pool with queue_max, and to wake
///   somebody; a thread that finds work in its own deque does not take it.
/// - A thread is parked, blocked (asleep in a wait of its task) or active. wanted_ is how many more
///   could be active. It is almost always 0 when there is much to do, and then submitting wakes
///   nobody and costs one load.
/// - Whoever adds work, or is not free any more, looks at wanted_ afterwards. A thread that parks
///   or blocks raises wanted_, has every other thread pass a memory barrier (membarrier(2)), and
///   then looks for work once more. So one of the two sees the other, and the side that is used a
///   million times pays no fence. The queue's push() is one itself: there, raising wanted_ and then
///   looking is enough.
/// - Whoever takes work while threads are wanted and more work is left wakes the next one.
class ThreadPoolCore final : public TaskHome {
 public:
  explicit ThreadPoolCore(ThreadPoolOptions options);
  ~ThreadPoolCore() override;
  ThreadPoolCore(const ThreadPoolCore&) = delete;
  ThreadPoolCore& operator=(const ThreadPoolCore&) = delete;

  void execute(TaskPtr task);
  void shutdown(bool wait, bool cancel_pending);
  bool drain(std::optional<Duration> timeout);
  unsigned max_workers() const noexcept { return options_.max_workers; }
  unsigned thread_count() const;

  bool run_nested(TaskBase& task) noexcept override;

  // Called by workers.
  void work(ThreadWorker& self);
  /// False in a forked child: there nothing but this and execute() may be called, and it must not
  /// be destroyed.
  bool is_here() const noexcept { return home_process_.is_here(); }
  bool may_start_thread() const noexcept {
    return threads_.load(std::memory_order_relaxed) < threads_max;
  }
  void block();
  void unblock() noexcept;
  /// The calling thread is a worker that seemed free and is not: another one may be needed.
  void take_over_from_this_thread();

  static constexpr unsigned threads_max = 512;

 private:
  using Lock = std::unique_lock<std::mutex>;

  // thread_pool_core.cpp
  void push_own(ThreadWorker& self, TaskPtr task);
  void push_in_order(TaskPtr task);
  void push_with_lock(TaskPtr task, bool may_exceed);
  bool is_full() const;
  bool find_room(Lock& lock);
  void await_room(Lock& lock);
  bool is_idle() const;
  void throw_if_closed() const;
  void refuse_if_forked();
  TaskPtr pop_last();
  void cancel_all_pending();
  void join();
  void break_pool(const std::exception_ptr& error);
  void fail_queued(const std::exception_ptr& error);
  void fail_queued_without_threads();

  // thread_pool_threads.cpp: which threads run. With the lock, but for look_for_thread().
  static void barrier_everywhere() noexcept;
  void add_threads(Lock& lock);
  void look_for_thread();
  bool start_thread() noexcept;
  std::size_t work_count() const;
  unsigned free_threads() const;
  void update_wanted() noexcept;

  // thread_pool_work.cpp: a worker's thread.
  TaskPtr find_work(ThreadWorker& self);
  TaskPtr take_shared(ThreadWorker& self);
  TaskPtr steal(ThreadWorker& self);
  void name_thread(unsigned number) const;
  bool run_initializer();
  bool park(ThreadWorker& self);
  void park_surplus(ThreadWorker& self);
  bool any_deque_has_work() const noexcept;

  const ThreadPoolOptions options_;
  HomeProcess home_process_;

  SharedQueue queue_;

  // Apart from what threads read before every task.
  alignas(64) mutable std::mutex mutex_;
  std::vector<ThreadWorker*> parked_;
  unsigned blocked_ = 0;
  unsigned ended_ = 0;
  unsigned room_waiters_ = 0;
  std::condition_variable room_;
  unsigned drainers_ = 0;
  std::condition_variable idle_;
  std::optional<std::string> broken_;

  alignas(64) std::atomic<bool> closed_{false};
  std::atomic<unsigned> wanted_{0};
  std::atomic<bool> surplus_{false};  // more are active than max_workers
  std::atomic<unsigned> threads_{0};  // how many of workers_ there are; they stay until the end
  std::array<std::unique_ptr<ThreadWorker>, threads_max> workers_;

  std::mutex join_mutex_;
};

}  // namespace muster::detail
