#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>

#include <muster/base/clock.hpp>
#include <muster/executors/executor.hpp>

namespace muster {

namespace detail {
class RetryCore;
unsigned retries_of(SharedStateBase& work) noexcept;
}  // namespace detail

/// How often and when a failed task is run again.
struct RetryOptions {
  unsigned attempts_max = 3;  ///< runs of a task in all; 1: none is retried

  /// Before the second attempt; before each later one it is `backoff` times as long, up to
  /// `delay_max`.
  Duration delay = std::chrono::milliseconds(100);
  double backoff = 2.0;  ///< at least 1
  Duration delay_max = std::chrono::minutes(1);

  /// 0 to 1. Each delay is longer or shorter by up to this share, at random, so that tasks which
  /// failed together do not all come back together.
  double jitter = 0.1;
  std::uint64_t seed = 1;  ///< of the random numbers for it

  /// Whether a task that failed so is to be retried. Called by the thread that ran the task,
  /// several at a time. If it throws, the task is not retried. None: all errors but DeadlineError
  /// and BrokenExecutor. Never retried, and not asked about, are cancellation and the end of a
  /// queue_timeout or total_timeout.
  std::function<bool(const std::exception_ptr&)> retry_if = {};
};

/// How long to wait after so many failures, one or more. `random` is uniform in [0, 1).
Duration retry_delay(const RetryOptions& options, unsigned failures, double random) noexcept;

/// What a RetryingExecutor has done so far.
struct RetryStatistics {
  std::uint64_t attempts = 0;  ///< runs that ended, with a value or an error
  std::uint64_t retries = 0;   ///< attempts that were followed by another one
  std::uint64_t given_up = 0;  ///< tasks that failed for good
};

/// Runs tasks on another executor, again if they fail.
///
///   ThreadPoolExecutor threads;
///   RetryingExecutor retrying(threads, {.attempts_max = 5, .delay = 10ms});
///   auto page = retrying.submit(fetch, url);
///
/// - The future is the same one throughout. While a task waits for its next attempt it is pending:
///   cancel() ends it at once, no thread is occupied, and TaskOptions' total_timeout counts on. If
///   that would be over before the next attempt, there is none.
/// - A task that failed for good throws its last error, as it is, so that it can be caught by its
///   type; attempts() says how often it ran.
/// - Every attempt gets a copy of function and arguments. What cannot be copied is refused by
///   submit(), with Error(usage).
/// - A task that was asked to stop, by cancel(), is not retried.
/// - It stacks: RetryingExecutor over RateLimitedExecutor has every attempt take a token, the other
///   way round only every task does. Over a ProcessPoolExecutor it retries what tasks throw; for
///   processes that die TaskOptions::retries are cheaper.
///
/// The inner executor is borrowed, and must outlive this one. Thread-safe.
class RetryingExecutor final : public Executor {
 public:
  /// Throws Error(usage) for impossible options.
  explicit RetryingExecutor(Executor& inner, RetryOptions options = {});
  ~RetryingExecutor() override;  ///< shutdown(true)

  void execute(detail::TaskPtr task) override;

  /// No new tasks; those submitted are still run, and retried. With `cancel_pending` those that
  /// wait for their next attempt are cancelled, and no other is retried; what the inner executor
  /// has queued is for that to cancel. `wait`: until all tasks are done. Leaves the inner executor
  /// alone. A task of its own must not wait: it would wait for itself.
  void shutdown(bool wait = true, bool cancel_pending = false) override;

  bool drain(std::optional<Duration> timeout = std::nullopt) override;

  unsigned max_workers() const noexcept override;  ///< of the inner executor

  /// What has happened so far; each figure is exact, all together are of no one moment.
  RetryStatistics statistics() const;

  /// How often a task of such executors, which is done with a value or an error, has run.
  template <class T>
  static unsigned attempts(const Future<T>& future) {
    return detail::retries_of(detail::FutureAccess::state(future)) + 1;
  }

 private:
  std::shared_ptr<detail::RetryCore> core_;
};

}  // namespace muster
