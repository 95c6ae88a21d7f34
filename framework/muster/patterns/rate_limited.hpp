#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <muster/base/clock.hpp>
#include <muster/executors/executor.hpp>

namespace muster {

namespace detail {
class RateCore;
}

/// How fast tasks may start.
struct RateLimitOptions {
  double per_second = 0;    ///< tasks started on average; more than 0, at most 1e9
  std::uint32_t burst = 1;  ///< tasks that may start at once after a pause; at least 1

  /// Keys at a time whose tasks wait or whose last burst is not made up for; the others are
  /// forgotten. submit_for() with one more throws Error(limit). At least 1.
  std::size_t keys_max = 100'000;
};

/// Runs tasks on another executor, no faster than at a given rate.
///
///   RateLimitedExecutor limited(threads, {.per_second = 5, .burst = 5});
///   auto page = limited.submit(fetch, url);                 // 5 a second in all
///   auto other = limited.submit_for(host, fetch, url);      // 5 a second for each host
///
/// - Tasks of one key pass in the order submitted. Each key has tokens of its own, and so have all
///   tasks without a key together.
/// - No thread is occupied by tasks that wait: they are pending, cancel() ends them at once, and
///   TaskOptions' deadlines count on. Priorities are for the inner executor. The wait is unbounded:
///   give a queue_timeout if late is as bad as never.
/// - The rate is that at which tasks are handed to the inner executor, where they may wait again.
/// - A task that cannot be handed over in its turn, because the inner executor throws, fails with
///   what that threw. If its turn is at once, submit() throws it.
///
/// The inner executor is borrowed, and must outlive this one. Thread-safe.
class RateLimitedExecutor final : public Executor {
 public:
  /// Throws Error(usage) for impossible options.
  RateLimitedExecutor(Executor& inner, RateLimitOptions options);
  ~RateLimitedExecutor() override;  ///< shutdown(true)

  /// As submit(), at the rate of `key`.
  template <class F, class... A>
  requires detail::Submittable<F, A...>
  auto submit_for(std::string_view key, F&& function, A&&... arguments) {
    return submit_for(key, TaskOptions(), std::forward<F>(function), std::forward<A>(arguments)...);
  }
  /// The same, run as `options` say.
  template <class F, class... A>
  requires detail::Submittable<F, A...>
  auto submit_for(std::string_view key, const TaskOptions& options, F&& function,
                  A&&... arguments) {
    auto [task, future] =
        detail::make_task(std::forward<F>(function), std::forward<A>(arguments)...);
    detail::set_options(*task, options);
    Keyed sink(*this, key);
    detail::execute_armed(sink, std::move(task));
    return std::move(future);
  }

  void execute(detail::TaskPtr task) override;

  /// No new tasks; those submitted still run, at the same rate, unless `cancel_pending` cancels
  /// those that wait here. `wait`: until all tasks are done. Leaves the inner executor alone. A
  /// task of its own must not wait: it would wait for itself.
  void shutdown(bool wait = true, bool cancel_pending = false) override;

  bool drain(std::optional<Duration> timeout = std::nullopt) override;

  unsigned max_workers() const noexcept override;  ///< of the inner executor

  std::size_t waiting_count() const;  ///< tasks that wait here just now
  std::size_t key_count() const;      ///< keys remembered just now

 private:
  class Keyed final : public detail::TaskSink {
   public:
    Keyed(RateLimitedExecutor& executor, std::string_view key) : executor_(executor), key_(key) {}
    void execute(detail::TaskPtr task) override { executor_.execute_for(key_, std::move(task)); }

   private:
    RateLimitedExecutor& executor_;
    std::string_view key_;
  };

  void execute_for(std::string_view key, detail::TaskPtr task);

  std::shared_ptr<detail::RateCore> core_;
};

}  // namespace muster
