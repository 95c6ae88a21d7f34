#pragma once

#include <exception>
#include <functional>
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

}  // namespace detail

template <class T>
template <class F>
auto Future<T>::then(F function) const {
  using Result = typename detail::ThenResult<T, F>::type;
  Promise<Result> promise;
  Future<Result> next = promise.future();
  add_done_callback([promise = std::move(promise),
                     function = std::move(function)](const Future<T>& done) mutable {
    if (done.cancelled()) {
      promise.set_cancelled().run();
      return;
    }
    if (!promise.set_running()) return;  // the new one was cancelled
    try {
      if constexpr (std::is_void_v<Result>) {
        detail::call_with_result(function, done);
        promise.set_value();
      } else {
        promise.set_value(detail::call_with_result(function, done));
      }
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  });
  return next;
}

}  // namespace muster
