#pragma once

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <muster/base/assert.hpp>
#include <muster/futures/future.hpp>

namespace muster {

namespace detail {

/// For links of chains, which decide when the callbacks of what they complete run.
struct PromiseAccess {
  template <class AnyPromise>
  static auto& state(const AnyPromise& promise) {
    return *promise.state_.get();
  }
};

}  // namespace detail

/// The side that delivers the outcome, used by executors. Exactly one outcome is ever accepted: a
/// second one throws InvalidStateError and changes nothing. A promise destroyed before that
/// completes its future with BrokenPromiseError, so that no one waits for ever.
///
/// Move-only; used by one thread at a time, while futures of it may be used by any. It may be
/// destroyed as soon as a future of it is done, even if set_value() has not returned yet.
template <class T>
class Promise {
  using Stored = detail::StoredType<T>;
  using State = detail::SharedState<Stored>;

 public:
  Promise() : state_(detail::StatePtr<State>::make()) {}
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&& other) noexcept {
    if (this != &other) {
      abandon();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~Promise() { abandon(); }

  /// A handle to what this promise will deliver; any number may be asked for.
  Future<T> future() const {
    MUSTER_ASSERT(state_ != nullptr);  // not moved from
    return Future<T>(state_);
  }

  /// Handed over for execution, but still to be recalled. False if cancelled meanwhile.
  bool set_dispatched() { return state_->advance(FutureState::dispatched); }

  /// The function is about to run. False if cancelled meanwhile: then it must not run.
  bool set_running() { return state_->advance(FutureState::running); }

  /// Back to the queue: what ran it is gone and it is to run again. False if cancelled meanwhile.
  bool set_pending() { return state_->advance(FutureState::pending); }

  /// Ends it with a value, wakes waiters and runs callbacks. Throws InvalidStateError if it has an
  /// outcome.
  template <class U = Stored>
  requires(!std::is_void_v<T> && std::is_constructible_v<Stored, U&&>) void set_value(U&& value) {
    state_->give_value(std::forward<U>(value)).run();
  }
  /// The same where there is no value.
  void set_value() requires std::is_void_v<T> { state_->give_value(Stored()).run(); }

  /// Ends it with an error, which result() will throw; as set_value() otherwise.
  void set_exception(std::exception_ptr error) { state_->give_error(std::move(error)).run(); }
  /// The same with a copy of `error`, of its static type.
  template <class E>
  requires std::is_base_of_v<std::exception, E>
  void set_exception(const E& error) { state_->give_error(std::make_exception_ptr(error)).run(); }

  /// Ends it as cancelled: waiters wake now. The callbacks run in run() of what is returned, or
  /// when it is destroyed, so that the caller can release its own locks first.
  [[nodiscard]] detail::DoneCallbacks set_cancelled() { return state_->set_cancelled(); }

  /// Installs who is asked when the future is to be cancelled, and whether the work has started.
  /// Held weakly: without it, or once it is gone, only work that has not started is cancelled.
  void on_cancel(std::weak_ptr<WorkControl> control) { state_->set_control(std::move(control)); }

 private:
  friend struct detail::PromiseAccess;
  void abandon() noexcept {
    if (state_ != nullptr) state_->abandon();
  }

  detail::StatePtr<State> state_;
};

}  // namespace muster
