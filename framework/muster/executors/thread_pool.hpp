#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <muster/executors/executor.hpp>
#include <muster/executors/on_full.hpp>

namespace muster {

namespace detail {
class ThreadPoolCore;
}

/// How many threads a pool has, and what they are called and do first.
struct ThreadPoolOptions {
  unsigned max_workers = 0;             ///< threads at most; 0: usable_cpus()
  std::string thread_name_prefix = {};  ///< threads are named prefix-0, prefix-1, ...

  /// Tasks that may wait for a thread; more are treated as `on_full` says. Cancelled ones count
  /// until a thread comes across them. 0: as many as memory holds, but no more than 134 million.
  std::size_t queue_max = 0;
  OnFull on_full = OnFull::block;

  /// Runs first in every thread. If it throws, the pool is broken: what is queued and all that is
  /// submitted later fails with BrokenExecutor, and what was thrown is logged to stderr.
  std::function<void()> initializer = {};
};

/// Runs tasks in threads of this process, after Python's ThreadPoolExecutor.
///
/// Rules, and why:
/// - Threads start when there is work and none is free, never more than max_workers that run.
/// - Tasks start in the order submitted (see TaskOptions for priorities). Tasks that a task submits
///   go to its own thread, last in first out, and idle threads take from there what has waited
///   longest (work stealing): for recursive work that keeps caches warm and queues short.
/// - A task may wait for futures. One of its own pool that has not started is run right there,
///   unless the wait has a timeout, which it could not keep; otherwise the thread sleeps, and
///   another one is started in its place, up to 512 in all. So nested waits cannot use the pool up;
///   with 512 threads asleep even those with a timeout run what they wait for.
/// - Waits in a circle throw DeadlockError: those without a timeout, for one future or for all of
///   several, that are results of tasks, of whatever thread pools. By way of then() or a promise
///   they are not noticed.
/// - cancel() of a running task triggers its std::stop_token, if it takes one.
///
/// Thread-safe. Callbacks of futures run in the pool's threads. In a forked child the pool is of no
/// use: submit() and drain() throw Error(usage), and the destructor does nothing. The program ends
/// if one of its own threads destroys it, as that would wait for itself.
class ThreadPoolExecutor final : public Executor {
 public:
  /// Throws Error(usage) for more than 512 workers.
  explicit ThreadPoolExecutor(ThreadPoolOptions options = {});
  ~ThreadPoolExecutor() override;  ///< shutdown(true)

  /// As Executor says. Throws Error(usage) if `wait` is asked for by one of the pool's own threads.
  void shutdown(bool wait = true, bool cancel_pending = false) override;

  bool drain(std::optional<Duration> timeout = std::nullopt) override;

  void execute(detail::TaskPtr task) override;

  unsigned max_workers() const noexcept override;
  unsigned thread_count() const;  ///< threads started so far and not ended

 private:
  std::unique_ptr<detail::ThreadPoolCore> core_;
};

}  // namespace muster
