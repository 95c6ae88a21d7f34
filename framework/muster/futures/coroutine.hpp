#pragma once

/// Futures in coroutines: `co_await future` gives its result, and a coroutine may return a Future.

#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#include <muster/futures/future.hpp>
#include <muster/futures/promise.hpp>

namespace muster {
namespace detail {

template <class T>
class FutureAwaiter {
 public:
  explicit FutureAwaiter(Future<T> future) : future_(std::move(future)) {}

  bool await_ready() const { return future_.done(); }
  void await_suspend(std::coroutine_handle<> waiting) {
    // A copy: the awaiter is gone as soon as the coroutine goes on.
    const Future<T> future = future_;
    future.add_done_callback([waiting] { waiting.resume(); });
  }
  T await_resume() { return std::move(future_).result(); }

 private:
  Future<T> future_;
};

template <class T>
class CoroutinePromiseBase {
 public:
  Future<T> get_return_object() {
    promise_.set_running();
    return promise_.future();
  }
  // It runs in the caller until its first co_await that has to wait, and cleans up by itself.
  std::suspend_never initial_suspend() const noexcept { return {}; }
  std::suspend_never final_suspend() const noexcept { return {}; }
  void unhandled_exception() {
    PromiseAccess::state(promise_).give_error(std::current_exception()).run_in_turn();
  }

 protected:
  Promise<T> promise_;
};

template <class T>
class CoroutinePromise : public CoroutinePromiseBase<T> {
 public:
  template <class U>
  void return_value(U&& value) {
    PromiseAccess::state(this->promise_).give_value(std::forward<U>(value)).run_in_turn();
  }
};

template <>
class CoroutinePromise<void> : public CoroutinePromiseBase<void> {
 public:
  void return_void() { PromiseAccess::state(promise_).give_value(VoidValue()).run_in_turn(); }
};

}  // namespace detail

/// Waits without holding a thread: the coroutine goes on in the thread that completes the future,
/// as its done callback, or at once if it is done. Gives the value or throws as result() does; a
/// copy if others hold the future too.
template <class T>
auto operator co_await(Future<T> future) {
  return detail::FutureAwaiter<T>(std::move(future));
}

}  // namespace muster

/// A coroutine that returns a Future starts at once. It cannot be cancelled: it runs.
template <class T, class... Arguments>
struct std::coroutine_traits<muster::Future<T>, Arguments...> {
  using promise_type = muster::detail::CoroutinePromise<T>;
};
