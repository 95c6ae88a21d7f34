#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/futures/cancel_ladder.hpp>
#include <muster/futures/state_memory.hpp>
#include <muster/futures/wait_helper.hpp>

namespace muster {

template <class T>
class Future;

/// Where the work behind a future is. Only ever later in this list, but for work that is handed
/// back to its executor (dispatched, running to pending).
enum class FutureState : std::uint8_t {
  pending,     ///< not handed to anything that could run it
  dispatched,  ///< handed over, not started; can be recalled
  running,     ///< its function has been entered
  finished,    ///< has a value or an error
  cancelled,   ///< will have neither
};

/// The name of a state, such as "running".
std::string_view to_string(FutureState state) noexcept;

namespace detail {
class SharedStateBase;
}

/// What an executor does on behalf of the futures of its tasks. Called with no lock of a future
/// held, by any thread; implementations synchronise themselves.
class WorkControl {
 public:
  virtual ~WorkControl() = default;

  /// Stops the work, if that can be done, and then completes it as cancelled before it returns
  /// true. False: it has ended, or cannot be stopped.
  virtual bool cancel(detail::SharedStateBase& work) = 0;

  /// Climbs the cancel ladder. May block for two graces.
  virtual CancelRung stop(detail::SharedStateBase& work, const StopOptions& options) {
    static_cast<void>(options);
    return cancel(work) ? CancelRung::withdrawn : CancelRung::none;
  }

  /// True if the function of dispatched work has been entered.
  virtual bool started(detail::SharedStateBase& work) = 0;

  /// Ends the work with this error, whether it has started or not if `also_running`, and only
  /// before its function is entered the first time otherwise. False if that was not to be done any
  /// more, or cannot be.
  virtual bool expire(detail::SharedStateBase& work, const std::exception_ptr& error,
                      bool also_running) {
    static_cast<void>(work);
    static_cast<void>(error);
    static_cast<void>(also_running);
    return false;
  }

  /// Called by a thread that is about to sleep until the work is done. The executor may use it to
  /// do its own work meanwhile; it returns when the work is done, at the deadline, or at once.
  virtual void lend_thread(detail::SharedStateBase& work, std::optional<TimePoint> deadline) {
    static_cast<void>(work);
    static_cast<void>(deadline);
  }
};

namespace detail {

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
  /// Of a state that nobody else knows yet, besides the reference it was made with.
  static StatePtr share_new(State& state) noexcept {
    state.set_two_references();
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
  ~DoneCallbacks() { run(); }

  void run() noexcept {
    if (!callbacks_.empty()) run_all();
  }
  /// For a link of a chain: runs them now, or a little later if the chain is long, when the
  /// callback that is the caller has returned.
  void run_in_turn() noexcept;
  bool empty() const noexcept { return callbacks_.empty(); }

 private:
  void run_all() noexcept;

  StatePtr<SharedStateBase> state_;
  std::vector<std::unique_ptr<CallbackBase>> callbacks_;
};

/// Runs what the calling thread has put aside, see run_in_turn(). To be called before it sleeps,
/// since it may do so for what these bring about.
void run_callbacks_put_aside() noexcept;

/// Someone who waits for several futures. Told of each completion once, with the lock of that
/// future's state held, so it must not call back into futures.
class CompletionListener {
 public:
  virtual ~CompletionListener() = default;
  virtual void on_done(bool failed) noexcept = 0;
};

/// What all shared states have in common: the state machine, waiting, callbacks, cancellation.
///
/// Thread-safe. One word holds the count of references, the state, a lock and whether anybody
/// sleeps, so that work which is started, run and fetched by polling costs two atomic operations,
/// and a state is small: callbacks and the like lie in memory of their own, made when there are
/// any. The lock guards that memory and the choice of the outcome; it is held for a few
/// instructions, or while listeners are told.
/// Once the state says finished, value and error are immutable (but for take_value) and visible to
/// whoever read it.
class SharedStateBase {
 public:
  SharedStateBase() = default;
  virtual ~SharedStateBase();
  SharedStateBase(const SharedStateBase&) = delete;
  SharedStateBase& operator=(const SharedStateBase&) = delete;

  // States come and go by the million: their memory is recycled (state_memory.hpp).
  static void* operator new(std::size_t size) { return allocate_state(size); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    release_state(memory, size);
  }

  void add_reference() noexcept { word_.fetch_add(one_reference, std::memory_order_relaxed); }
  /// The last one need not be counted down: nobody is left who could add one meanwhile.
  [[nodiscard]] bool drop_reference() noexcept {
    return sole_owner() ||
           references(word_.fetch_sub(one_reference, std::memory_order_acq_rel)) == 1;
  }
  /// Of a new one, which has one.
  void set_two_references() noexcept { word_.store(2 * one_reference, std::memory_order_relaxed); }
  bool sole_owner() const noexcept {
    return references(word_.load(std::memory_order_acquire)) == 1;
  }

  FutureState state() const noexcept {
    return static_cast<FutureState>(word_.load(std::memory_order_acquire) & state_mask);
  }
  bool done() const noexcept { return state() >= FutureState::finished; }

  FutureState observe();  ///< state(), after asking whether dispatched work has started
  bool cancel();
  CancelRung stop(const StopOptions& options);
  /// For whoever runs it: claims work that has not started, once. False: cancelled, or claimed.
  bool try_start() noexcept;
  /// try_start() for somebody who does not run it, and so must not come in the way of whoever
  /// controls it: false, too, if there is such a one, who is then in `control`.
  bool claim_uncontrolled(std::shared_ptr<WorkControl>& control) noexcept;
  /// For whoever takes work that has been in other hands: from now on `control()` goes by `home`.
  /// False if it was cancelled, or ended otherwise, on the way.
  template <class Home>
  bool hand_over(std::atomic<Home*>& home, Home* to) noexcept {
    const Lock lock(*this);
    if (state() >= FutureState::running) return false;
    home.store(to, std::memory_order_release);
    return true;
  }
  bool advance(FutureState to);
  [[nodiscard]] DoneCallbacks give_error(std::exception_ptr error);
  [[nodiscard]] DoneCallbacks set_cancelled();
  void set_control(std::weak_ptr<WorkControl> control);
  void abandon() noexcept;

  /// By reference: an optional in two registers is put together in memory, and costs a tenth of a
  /// small task's time.
  bool await_done(const std::optional<Duration>& timeout);
  void await_success(const std::optional<Duration>& timeout) {
    if (state() != FutureState::finished || error_ != nullptr) await_outcome(timeout);
  }
  std::exception_ptr await_error(const std::optional<Duration>& timeout);

  void add_callback(std::unique_ptr<CallbackBase> callback);

  /// Registers a listener, unless the future is done already: then it returns false, and `failed`
  /// says whether with an error.
  bool add_listener(CompletionListener& listener, bool& failed);
  void remove_listener(CompletionListener& listener) noexcept;

  /// Runs work of the calling thread's own pool here and now, if it has not started. False if it
  /// has, or is not such work.
  virtual bool run_here() noexcept { return false; }

  /// Who controls the work just now; null if nobody does. Called with the lock held: whoever has
  /// the work outlives it, and while the lock is held it does not end.
  virtual std::shared_ptr<WorkControl> control() noexcept;

 protected:
  /// Notes that running work is asked to end, which it may or may not do, and gives what asks it;
  /// none if it cannot be asked. With the lock, which is not to be held when it is asked.
  virtual std::optional<std::stop_source> note_stop() noexcept { return std::nullopt; }

  // For whoever claimed it with try_start(), and nobody else: complete() ends it and makes visible
  // the value or the error that was kept before; complete_and_drop() also gives a reference up, in
  // one step.
  void keep_error(std::exception_ptr error) noexcept { error_ = std::move(error); }
  const std::exception_ptr& error() const noexcept { return error_; }
  [[nodiscard]] DoneCallbacks complete() noexcept;
  [[nodiscard]] DoneCallbacks complete_and_drop() noexcept;
  /// Instead of complete(): forgets the error, and the work may be claimed again. `home` is what
  /// control() goes by; it is cleared under the lock.
  /// Under the lock, too, `renew()` may replace what note_stop() gives.
  template <class Home, class Renew>
  void reopen(std::atomic<Home*>& home, Renew&& renew) noexcept {
    const Lock lock(*this);
    renew();
    error_ = nullptr;
    home.store(nullptr, std::memory_order_relaxed);
    set_state(FutureState::pending);
  }

  /// Holds the word's lock.
  class Lock {
   public:
    explicit Lock(SharedStateBase& state) noexcept : state_(&state) { state.lock(); }
    Lock(Lock&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Lock& operator=(Lock&&) = delete;
    ~Lock() {
      if (state_ != nullptr) state_->unlock();
    }
    void release() noexcept { state_ = nullptr; }  ///< whoever is called next unlocks

   private:
    SharedStateBase* state_;
  };

  Lock lock_for_outcome();  ///< throws InvalidStateError if there is an outcome
  [[nodiscard]] DoneCallbacks finish(Lock lock, FutureState outcome);
  void throw_if_taken() const {
    if ((word_.load(std::memory_order_relaxed) & taken_bit) != 0) throw_taken();
  }
  void mark_taken(const Lock&) noexcept { word_.fetch_or(taken_bit, std::memory_order_relaxed); }

 private:
  struct Extras {
    std::vector<std::unique_ptr<CallbackBase>> callbacks;
    std::vector<CompletionListener*> listeners;
    std::weak_ptr<WorkControl> control;
  };

  // The lower half of the word, on which threads sleep. The upper half counts references.
  static constexpr std::uint64_t state_mask = 7;
  static constexpr std::uint64_t locked_bit = 8;
  static constexpr std::uint64_t sleepers_bit = 16;  // somebody sleeps: for the lock or the outcome
  static constexpr std::uint64_t extras_bit = 32;    // extras_ is not null
  static constexpr std::uint64_t taken_bit = 64;     // the value was moved out
  static constexpr std::uint64_t one_reference = std::uint64_t{1} << 32U;

  static constexpr std::uint64_t references(std::uint64_t word) noexcept {
    return word / one_reference;
  }
  /// The word with `to` in place of all that the lower half has.
  static constexpr std::uint64_t only_state(std::uint64_t word, FutureState to) noexcept {
    return references(word) * one_reference + static_cast<std::uint64_t>(to);
  }

  [[noreturn]] static void throw_taken();
  void await_outcome(const std::optional<Duration>& timeout);
  bool await_long(const std::optional<Duration>& timeout);
  bool await_helping(std::optional<TimePoint> deadline);
  void lend_thread(std::optional<TimePoint> deadline);
  bool spin_until_done() noexcept;
  bool sleep_until_done(std::optional<TimePoint> deadline) noexcept;
  void lock() noexcept;
  void unlock() noexcept;
  void sleep_while(std::uint64_t seen, std::optional<TimePoint> deadline) noexcept;
  void set_state(FutureState to) noexcept;  // with the lock
  Extras& extras();                         // with the lock

  bool set_final(std::uint64_t& seen, std::uint64_t last) noexcept;

  std::atomic<std::uint64_t> word_{one_reference};
  std::exception_ptr error_;
  std::unique_ptr<Extras> extras_;
};

struct VoidValue {};

template <class T>
using StoredType = std::conditional_t<std::is_void_v<T>, VoidValue, T>;

/// The state with room for the value. Whether a value is there is told by the optional's tag and by
/// state(), never by looking at the value.
template <class Stored>
class SharedState : public SharedStateBase {
 public:
  template <class U>
  [[nodiscard]] DoneCallbacks give_value(U&& value) {
    Lock lock = lock_for_outcome();
    value_.emplace(std::forward<U>(value));  // if it throws, the future is still open
    return finish(std::move(lock), FutureState::finished);
  }

  /// Once it has one.
  const Stored& value() const {
    throw_if_taken();
    return *value_;
  }

  /// For whoever claimed it: what complete() makes visible.
  template <class Make>
  void emplace_value(Make&& make) {
    value_.emplace(Constructed<Make>{make});
  }

  Stored take_value() {
    const Lock lock(*this);
    throw_if_taken();
    Stored out = std::move(*value_);  // if it throws, the value is still there
    mark_taken(lock);
    value_.reset();
    return out;
  }

 private:
  // Lets emplace() construct from what a function returns, without a move.
  template <class Make>
  struct Constructed {
    Make& make;
    operator Stored() const { return make(); }
  };

  std::optional<Stored> value_;
};

/// For wait() and its kin, which treat futures of all kinds alike.
struct FutureAccess {
  template <class AnyFuture>
  static SharedStateBase& state(const AnyFuture& future) {
    return future.shared();
  }
  template <class T>
  static Future<T> make(StatePtr<SharedState<StoredType<T>>> state) {
    return Future<T>(std::move(state));
  }
};

}  // namespace detail
}  // namespace muster
