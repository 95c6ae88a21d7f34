#pragma once

#include <concepts>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

#include <muster/executors/call_task.hpp>
#include <muster/executors/deadlines.hpp>
#include <muster/executors/map_results.hpp>
#include <muster/futures/future.hpp>

namespace muster {

namespace detail {

template <class F, class... A>
concept Submittable = std::invocable<std::decay_t<F>, std::decay_t<A>...> ||
    TakesStopToken<std::decay_t<F>, std::decay_t<A>...>;

}  // namespace detail

/// Something that runs functions and gives futures for their results, after Python's
/// concurrent.futures.Executor. Thread-safe; every call must have returned before an executor is
/// destroyed, that of submit() too, which the end of the task does not prove.
class Executor : public detail::TaskSink {
 public:
  ~Executor() override = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Runs function(arguments...), later and elsewhere; both are copied or moved in, and moved into
  /// the call (use std::ref for references). A function that takes a std::stop_token first gets one
  /// that Future::cancel() triggers. Throws Error(broken) after shutdown() and if the executor is
  /// broken.
  template <class F, class... A>
  requires detail::Submittable<F, A...>
  auto submit(F&& function, A&&... arguments) {
    auto [task, future] =
        detail::make_task(std::forward<F>(function), std::forward<A>(arguments)...);
    detail::inherit_deadline(*task);
    execute(std::move(task));
    return std::move(future);
  }
  /// The same with a priority, time limits or retries.
  template <class F, class... A>
  requires detail::Submittable<F, A...>
  auto submit(const TaskOptions& options, F&& function, A&&... arguments) {
    auto [task, future] =
        detail::make_task(std::forward<F>(function), std::forward<A>(arguments)...);
    detail::set_options(*task, options);
    detail::execute_armed(*this, std::move(task));
    return std::move(future);
  }

  /// Calls function(input) for every input, and gives the results in the order of the inputs. With
  /// two or three ranges it is function(a, b) and so on, up to the end of the shortest. It begins
  /// at once. Throws Error(usage) for sizes below 1, and what submit() throws.
  template <class F, std::ranges::input_range A>
  auto map(F function, A&& inputs, const MapOptions& options = {}) {
    return map_zipped(std::move(function), options, std::forward<A>(inputs));
  }
  /// The same with function(a, b).
  template <class F, std::ranges::input_range A, std::ranges::input_range B>
  auto map(F function, A&& a, B&& b, const MapOptions& options = {}) {
    return map_zipped(std::move(function), options, std::forward<A>(a), std::forward<B>(b));
  }
  /// The same with function(a, b, c).
  template <class F, std::ranges::input_range A, std::ranges::input_range B,
            std::ranges::input_range C>
  auto map(F function, A&& a, B&& b, C&& c, const MapOptions& options = {}) {
    return map_zipped(std::move(function), options, std::forward<A>(a), std::forward<B>(b),
                      std::forward<C>(c));
  }

  /// Ends the executor: no new tasks; those submitted still run, unless `cancel_pending` cancels
  /// all that have not started. With `wait` it returns when the last task has ended. Idempotent,
  /// and may be called again with stronger arguments.
  virtual void shutdown(bool wait = true, bool cancel_pending = false) = 0;

  /// Waits until no task is pending or running: neither of those submitted so far, nor of those
  /// that they submit. False if that took longer than `timeout`; none waits for ever. Unlike
  /// shutdown() it leaves the executor as usable as before. Throws Error(usage) when called by one
  /// of its own threads or callbacks, which it would wait for, or if the executor cannot do this.
  virtual bool drain(std::optional<Duration> timeout = std::nullopt);

  /// How many tasks it runs at a time, at most.
  virtual unsigned max_workers() const noexcept = 0;

 protected:
  Executor() = default;

 private:
  template <class F, class... Ranges>
  auto map_zipped(F function, const MapOptions& options, Ranges&&... ranges) {
    using Result = std::decay_t<std::invoke_result_t<F&, std::ranges::range_value_t<Ranges>...>>;
    return MapResults<F, Result, Ranges...>(*this, max_workers(), std::move(function), options,
                                            std::forward<Ranges>(ranges)...);
  }
};

}  // namespace muster
