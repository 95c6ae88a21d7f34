#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <thread>

#include <muster/base/adaptive_spin.hpp>
#include <muster/base/random.hpp>
#include <muster/executors/task.hpp>
#include <muster/executors/threads/wait_graph.hpp>
#include <muster/executors/threads/work_deque.hpp>

namespace muster::detail {

class ThreadPoolCore;
class ThreadWorker;

/// The one that the calling thread is; null if it is none.
inline constinit thread_local ThreadWorker* worker_of_this_thread = nullptr;

/// One thread of a thread pool. Unless said otherwise its members are used by that thread alone.
class ThreadWorker final : public WaitHelper {
 public:
  ThreadWorker(ThreadPoolCore& core, unsigned number, bool spin_pays);

  ThreadPoolCore& core() const noexcept { return core_; }
  unsigned number() const noexcept { return number_; }

  void enter_thread() noexcept;  ///< from now on it is the calling thread's

  /// Runs a task that start() was true for.
  void run(TaskPtr task) noexcept;

  void before_wait(std::span<SharedStateBase* const> awaited) override;
  void after_wait() noexcept override;
  bool can_be_replaced() const noexcept override;

  /// By any thread: true while a task's function or callbacks run. Turns false before its future is
  /// done, so that whoever waited for that finds a free thread.
  bool in_function() const noexcept { return in_function_.load(std::memory_order_acquire); }
  void set_in_function(bool is) noexcept {
    in_function_.store(is, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // before a look at wanted_: see the rules
  }

  // Parking. The pool's lock decides who wakes whom.
  void sleep_until_woken() noexcept;
  void wake() noexcept;  ///< by any thread

  ThreadWorker* next_to_wake = nullptr;  ///< of whoever is about to wake it

  WorkDeque<TaskBase> deque;
  AdaptiveSpin spin;
  Random random;
  std::uint32_t found = 0;
  std::int64_t batch_end = 0;  ///< up to here the deque has what came from the shared queue
  std::thread thread;          // with the pool's lock

 private:
  void leave_graph() noexcept;

  ThreadPoolCore& core_;
  const unsigned number_;
  WaitGraph::Sleeper sleeper_;
  unsigned waits_ =
      0;  // more than one: who sleeps for a process takes replies, which runs user code
  bool in_callbacks_ = false;  // of a task that it has run
  alignas(64) std::atomic<bool> in_function_{false};
  std::atomic<std::uint32_t> woken_{0};
};

}  // namespace muster::detail
