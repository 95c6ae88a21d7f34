#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <muster/futures/future.hpp>
#include <muster/futures/promise.hpp>

namespace muster {
namespace detail {

template <class T, class F>
struct ThenResult {
  using type = std::decay_t<std::invoke_result_t<F&, const T&>>;
};
template <class F>
struct ThenResult<void, F> {
  using type = std::decay_t<std::invoke_result_t<F&>>;
};

template <class T, class F>
decltype(auto) call_with_result(F& function, const Future<T>& done) {
  if constexpr (std::is_void_v<T>) {
    done.result();
    return std::invoke(function);
  } else {
    return std::invoke(function, done.result());
  }
}

/// What then() adds to a future. The function is destroyed before the new future has its result, as
/// a task's is: who waits for that may rely on what it held being released.
template <class T, class F, class Result>
class Continuation {
 public:
  Continuation(Promise<Result> promise, F function)
      : promise_(std::move(promise)), function_(std::move(function)) {}

  void operator()(const Future<T>& done) {
    if (done.cancelled()) {
      function_.reset();
      promise_.set_cancelled().run_in_turn();
    } else if (promise_.set_running()) {  // unless the new one was cancelled
      outcome(done).run_in_turn();
    }
  }

 private:
  DoneCallbacks outcome(const Future<T>& done) {
    auto& state = PromiseAccess::state(promise_);
    try {
      std::optional<StoredType<Result>> value;
      if constexpr (std::is_void_v<Result>) {
        call_with_result(*function_, done);
        value.emplace();
      } else {
        value.emplace(call_with_result(*function_, done));
      }
      function_.reset();
      return state.give_value(*std::move(value));
    } catch (...) {
      function_.reset();
      return state.give_error(std::current_exception());
    }
  }

  Promise<Result> promise_;
  std::optional<F> function_;
};

}  // namespace detail

template <class T>
template <class F>
auto Future<T>::then(F function) const {
  using Result = typename detail::ThenResult<T, F>::type;
  Promise<Result> promise;
  Future<Result> next = promise.future();
  add_done_callback(detail::Continuation<T, F, Result>(std::move(promise), std::move(function)));
  return next;
}

}  // namespace muster
