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

/// What then() adds to a future. The function is destroyed before the new future is done, as a
/// task's is: who waits for that may rely on what it held being released.
template <class T, class F, class Result>
class Continuation {
 public:
  Continuation(Promise<Result> promise, F function)
      : promise_(std::move(promise)), function_(std::move(function)) {}

  void operator()(const Future<T>& done) {
    if (done.cancelled()) {
      function_.reset();
      promise_.set_cancelled().run();
    } else if (promise_.set_running()) {  // unless the new one was cancelled
      run(done);
    }
  }

 private:
  void run(const Future<T>& done) {
    std::optional<StoredType<Result>> value;
    std::exception_ptr error;
    try {
      if constexpr (std::is_void_v<Result>) {
        call_with_result(*function_, done);
        value.emplace();
      } else {
        value.emplace(call_with_result(*function_, done));
      }
    } catch (...) {
      error = std::current_exception();
    }
    function_.reset();
    if (error != nullptr) {
      promise_.set_exception(std::move(error));
    } else if constexpr (std::is_void_v<Result>) {
      promise_.set_value();
    } else {
      set_value(*std::move(value));
    }
  }

  template <class Value>
  void set_value(Value&& value) {
    try {
      promise_.set_value(std::forward<Value>(value));
    } catch (...) {  // by the value's move constructor
      promise_.set_exception(std::current_exception());
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
