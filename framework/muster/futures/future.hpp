#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <muster/base/clock.hpp>
#include <muster/futures/errors.hpp>
#include <muster/futures/future_state.hpp>

namespace muster {

template <class T>
class Promise;

/// A handle to the outcome of work that may not have ended yet, after Python's
/// concurrent.futures.Future. Copies share one state, which lives as long as any handle or the
/// promise does.
///
/// Thread-safe: any number of threads may use copies of a handle, and const members of one handle.
/// Timeouts: none waits for ever, 0 polls. Every member but valid() throws
/// InvalidStateError on an empty handle.
template <class T>
class Future {
  static_assert(std::is_void_v<T> || (std::is_object_v<T> && std::is_move_constructible_v<T>));
  using Stored = detail::StoredType<T>;

 public:
  using value_type = T;  ///< what it gives
  /// What result() gives: const T&, but void for void.
  using Reference =
      std::conditional_t<std::is_void_v<T>, void, std::add_lvalue_reference_t<const T>>;

  Future() = default;

  /// False for one that was made empty or moved from.
  bool valid() const noexcept { return state_ != nullptr; }

  /// Stops the work if that can still be done, and says whether the future is cancelled now.
  /// Finished: false. Not started: it never runs. Running: only an executor that can stop running
  /// work does so (the process pool kills the process). Waiters and callbacks are served before
  /// this returns; callbacks run in the calling thread.
  bool cancel() const { return shared().cancel(); }

  /// The whole cancel ladder in one call: withdraws what has not started; asks what runs to stop,
  /// if it takes a std::stop_token; then ends its process, with SIGTERM and at last SIGKILL.
  /// Returns the rung that ended it. Blocks for at most twice options.grace.
  CancelRung stop(const StopOptions& options = {}) const { return shared().stop(options); }

  /// Has ended as cancelled: there is no result and none will come.
  bool cancelled() const { return state() == FutureState::cancelled; }
  /// The function has been entered and has not ended.
  bool running() const { return state() == FutureState::running; }
  /// Has ended in any way: result(), exception() and wait() will not wait.
  bool done() const { return shared().done(); }

  /// One consistent snapshot. `running` means that the task's function has really been entered.
  FutureState state() const { return shared().observe(); }

  /// The value; or throws what the task threw, CancelledError, or TimeoutError. The reference is
  /// valid as long as a handle lives, and until take().
  Reference result(std::optional<Duration> timeout = std::nullopt) const& {
    shared().await_success(timeout);
    if constexpr (!std::is_void_v<T>) return shared().value();
  }

  /// The same on a temporary handle, whose state may die with it, hence by value: moved out if
  /// this is the last handle or T cannot be copied, copied otherwise.
  T result(std::optional<Duration> timeout = std::nullopt) && {
    shared().await_success(timeout);
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (!std::copy_constructible<T>) {
      return shared().take_value();
    } else if (shared().sole_owner()) {
      return shared().take_value();
    } else {
      return shared().value();
    }
  }

  /// Moves the value out: for the one consumer of a large or move-only value. Whoever asks for the
  /// result afterwards gets InvalidStateError. Must not run while another thread still uses a
  /// reference that result() gave it.
  T take(std::optional<Duration> timeout = std::nullopt) const requires(!std::is_void_v<T>) {
    shared().await_success(timeout);
    return shared().take_value();
  }

  /// What the task threw, null after success. Throws CancelledError and TimeoutError itself, since
  /// those are not outcomes of the task.
  std::exception_ptr exception(std::optional<Duration> timeout = std::nullopt) const {
    return shared().await_error(timeout);
  }

  /// True if the future is done before the timeout. Never throws for what became of the task.
  bool wait(std::optional<Duration> timeout = std::nullopt) const {
    return shared().await_done(timeout);
  }

  /// Calls `callback(future)` or `callback()` once the future is done, in the order added: in the
  /// thread that completes it, or here and now if it is done already. What a callback throws is
  /// logged to stderr and goes no further. A callback should be short: it may hold up the thread
  /// that serves every other task of the executor.
  template <class F>
  requires std::invocable < F&, const Future<T>
  & > || std::invocable<F&> void add_done_callback(F callback) const {
    shared().add_callback(std::make_unique<Callback<F>>(std::move(callback)));
  }

  /// Calls `function(result)` once this future has one, in the thread that completes it or here and
  /// now, and gives a future for what that returns. If this one fails or is cancelled, so does the
  /// new one, and the function is not called. Cancelling the new one leaves this one alone.
  /// Include <muster/futures/then.hpp> or <muster/muster.hpp>.
  template <class F>
  auto then(F function) const;

  /// Same future, not same value.
  friend bool operator==(const Future& left, const Future& right) noexcept {
    return left.state_.get() == right.state_.get();
  }

 private:
  friend class Promise<T>;
  friend struct detail::FutureAccess;
  friend struct std::hash<Future<T>>;
  using State = detail::SharedState<Stored>;

  template <class F>
  struct Callback final : detail::CallbackBase {
    explicit Callback(F function) : function_(std::move(function)) {}
    void run(detail::SharedStateBase& state) override {
      if constexpr (std::invocable<F&, const Future<T>&>) {
        function_(Future(detail::StatePtr<State>::share(static_cast<State&>(state))));
      } else {
        function_();
      }
    }
    F function_;
  };

  explicit Future(detail::StatePtr<State> state) : state_(std::move(state)) {}

  State& shared() const {
    if (state_ == nullptr) throw InvalidStateError("an empty future was used");
    return *state_.get();
  }

  detail::StatePtr<State> state_;
};

}  // namespace muster

template <class T>
struct std::hash<muster::Future<T>> {
  std::size_t operator()(const muster::Future<T>& future) const noexcept {
    return std::hash<const void*>()(future.state_.get());
  }
};
