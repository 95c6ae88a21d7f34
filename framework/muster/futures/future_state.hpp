#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>

namespace muster {

enum class FutureState : std::uint8_t {
  pending,     ///< not handed to anything that could run it
  dispatched,  ///< handed over, not started; can be recalled
  running,     ///< its function has been entered
  finished,    ///< has a value or an error
  cancelled,   ///< will have neither
};

std::string_view to_string(FutureState state) noexcept;

/// What an executor does on behalf of its futures. Called with no lock of a future held, by any
/// thread; implementations synchronise themselves.
class CancelHandler {
 public:
  virtual ~CancelHandler() = default;

  /// Stops the task, if that can be done, and then completes its promise as cancelled before it
  /// returns true. False: the task has ended, or cannot be stopped.
  virtual bool cancel_task(TaskId task) = 0;

  /// True if the function of a dispatched task has been entered.
  virtual bool task_started(TaskId task) = 0;
};

namespace detail {

class SharedStateBase;

/// A reference-counted pointer to a shared state; the count lies in the state, so that a promise
/// and its futures cost one allocation.
template <class State>
class StatePtr {
 public:
  StatePtr() = default;
  static StatePtr make() { return StatePtr(new State); }  // the count starts at 1
  static StatePtr share(State& state) noexcept {
    state.add_reference();
    return StatePtr(&state);
  }
  StatePtr(const StatePtr& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->add_reference();
  }
  StatePtr(StatePtr&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  StatePtr& operator=(StatePtr other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~StatePtr() {
    if (state_ != nullptr && state_->drop_reference()) delete state_;
  }

  State* get() const noexcept { return state_; }
  State* operator->() const noexcept { return state_; }
  friend bool operator==(const StatePtr& pointer, std::nullptr_t) noexcept {
    return pointer.state_ == nullptr;
  }

 private:
  explicit StatePtr(State* state) noexcept : state_(state) {}
  State* state_ = nullptr;
};

class CallbackBase {
 public:
  virtual ~CallbackBase() = default;
  virtual void run(SharedStateBase& state) = 0;
};

/// Callbacks that became due. Runs them, in order, when told to or when destroyed. Move-only.
class DoneCallbacks {
 public:
  DoneCallbacks() = default;
  DoneCallbacks(StatePtr<SharedStateBase> state,
                std::vector<std::unique_ptr<CallbackBase>> callbacks);
  DoneCallbacks(DoneCallbacks&& other) noexcept;
  DoneCallbacks& operator=(DoneCallbacks&& other) noexcept;
  ~DoneCallbacks();

  void run() noexcept;

 private:
  StatePtr<SharedStateBase> state_;
  std::vector<std::unique_ptr<CallbackBase>> callbacks_;
};

/// Someone who waits for several futures. Told of each completion once, with the lock of that
/// future's state held, so it must not call back into futures.
class CompletionListener {
 public:
  virtual ~CompletionListener() = default;
  virtual void on_done(bool failed) noexcept = 0;
};

/// What all shared states have in common: the state machine, waiting, callbacks, cancellation.
///
/// Thread-safe. `mutex_` guards everything but the reference count and the atomic state, which is
/// written under the lock and may be read without: once it says finished, value and error are
/// immutable (but for take_value) and visible to whoever read it.
class SharedStateBase {
 public:
  SharedStateBase() = default;
  virtual ~SharedStateBase() = default;
  SharedStateBase(const SharedStateBase&) = delete;
  SharedStateBase& operator=(const SharedStateBase&) = delete;

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] bool drop_reference() noexcept {
    return references_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  bool sole_owner() const noexcept { return references_.load(std::memory_order_acquire) == 1; }

  FutureState state() const noexcept { return state_.load(std::memory_order_acquire); }
  bool done() const noexcept { return state() >= FutureState::finished; }

  FutureState observe();  ///< state(), after asking the handler whether a dispatched task started
  bool cancel();
  bool advance(FutureState to);
  void set_error(std::exception_ptr error);
  [[nodiscard]] DoneCallbacks set_cancelled();
  void set_handler(std::weak_ptr<CancelHandler> handler, TaskId task);
  void abandon() noexcept;

  bool await_done(std::optional<Duration> timeout);
  void await_success(std::optional<Duration> timeout);
  std::exception_ptr await_error(std::optional<Duration> timeout);

  void add_callback(std::unique_ptr<CallbackBase> callback);

  /// Registers a listener, unless the future is done already: then it returns false, and `failed`
  /// says whether with an error.
  bool add_listener(CompletionListener& listener, bool& failed);
  void remove_listener(CompletionListener& listener) noexcept;

 protected:
  using Lock = std::unique_lock<std::mutex>;

  Lock lock_for_outcome();  ///< throws InvalidStateError if there is an outcome
  [[nodiscard]] DoneCallbacks finish(Lock lock, FutureState outcome);
  [[noreturn]] static void throw_taken();
  std::mutex& mutex() noexcept { return mutex_; }

 private:
  std::atomic<std::uint32_t> references_{1};
  std::atomic<FutureState> state_{FutureState::pending};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::exception_ptr error_;
  std::vector<std::unique_ptr<CallbackBase>> callbacks_;
  std::vector<CompletionListener*> listeners_;
  std::weak_ptr<CancelHandler> handler_;
  TaskId task_;
};

struct VoidValue {};

template <class T>
using StoredType = std::conditional_t<std::is_void_v<T>, VoidValue, T>;

/// The state with room for the value. Whether a value is there is told by the optional's tag and by
/// state(), never by looking at the value.
template <class Stored>
class SharedState final : public SharedStateBase {
 public:
  template <class U>
  void set_value(U&& value) {
    Lock lock = lock_for_outcome();
    value_.emplace(std::forward<U>(value));  // if it throws, the future is still open
    finish(std::move(lock), FutureState::finished).run();
  }

  const Stored& value() {
    const Lock lock(mutex());
    if (!value_) throw_taken();
    return *value_;
  }

  Stored take_value() {
    const Lock lock(mutex());
    if (!value_) throw_taken();
    Stored out = std::move(*value_);
    value_.reset();
    return out;
  }

 private:
  std::optional<Stored> value_;
};

/// For wait() and its kin, which treat futures of all kinds alike.
struct FutureAccess {
  template <class AnyFuture>
  static SharedStateBase& state(const AnyFuture& future) {
    return future.shared();
  }
};

}  // namespace detail
}  // namespace muster
