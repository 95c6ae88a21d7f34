#pragma once

#include <concepts>
#include <ranges>
#include <type_traits>
#include <utility>

#include <muster/executors/call_task.hpp>
#include <muster/executors/executor.hpp>

namespace muster {

/// An executor whose tasks run in other processes. It is used as an Executor is; functions,
/// arguments and results that cannot be sent there (see docs/sending.md) do not compile, with a
/// message that says what to do. Through an Executor& they throw Error(usage).
class SendingExecutor : public Executor {
 public:
  /// As Executor::submit().
  template <class F, class... A>
  requires detail::Submittable<F, A...>
  auto submit(F&& function, A&&... arguments) {
    detail::assert_sendable_call<std::decay_t<F>, std::decay_t<A>...>();
    return Executor::submit(std::forward<F>(function), std::forward<A>(arguments)...);
  }
  /// The same with a priority, time limits or retries.
  template <class F, class... A>
  requires detail::Submittable<F, A...>
  auto submit(const TaskOptions& options, F&& function, A&&... arguments) {
    detail::assert_sendable_call<std::decay_t<F>, std::decay_t<A>...>();
    return Executor::submit(options, std::forward<F>(function), std::forward<A>(arguments)...);
  }

  /// As Executor::map().
  template <class F, std::ranges::input_range A>
  auto map(F function, A&& inputs, const MapOptions& options = {}) {
    detail::assert_sendable_map<F, std::ranges::range_value_t<A>>();
    return Executor::map(std::move(function), std::forward<A>(inputs), options);
  }
  /// The same with function(a, b).
  template <class F, std::ranges::input_range A, std::ranges::input_range B>
  auto map(F function, A&& a, B&& b, const MapOptions& options = {}) {
    detail::assert_sendable_map<F, std::ranges::range_value_t<A>, std::ranges::range_value_t<B>>();
    return Executor::map(std::move(function), std::forward<A>(a), std::forward<B>(b), options);
  }
  /// The same with function(a, b, c).
  template <class F, std::ranges::input_range A, std::ranges::input_range B,
            std::ranges::input_range C>
  auto map(F function, A&& a, B&& b, C&& c, const MapOptions& options = {}) {
    detail::assert_sendable_map<F, std::ranges::range_value_t<A>, std::ranges::range_value_t<B>,
                                std::ranges::range_value_t<C>>();
    return Executor::map(std::move(function), std::forward<A>(a), std::forward<B>(b),
                         std::forward<C>(c), options);
  }

 protected:
  SendingExecutor() = default;
};

/// What functions over executors take: one, or a std::reference_wrapper of one.
template <class E>
concept ExecutorReference = std::convertible_to<E&, Executor&>;

namespace detail {

/// The executor itself, of its own type if that is known, so that it may refuse what it cannot
/// send.
template <ExecutorReference E>
auto& as_executor(E& executor) {
  if constexpr (std::derived_from<E, Executor>) {
    return executor;
  } else {
    return static_cast<Executor&>(executor);
  }
}

/// Does not compile for a call that the executor is known to be unable to send.
template <ExecutorReference E, class F, class... A>
constexpr void assert_submittable() {
  if constexpr (std::derived_from<E, SendingExecutor>) assert_sendable_call<F, A...>();
}

}  // namespace detail

}  // namespace muster
