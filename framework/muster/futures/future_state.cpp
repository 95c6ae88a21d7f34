#include <algorithm>
#include <cstdio>
#include <list>

#include <muster/base/adaptive_spin.hpp>
#include <muster/base/assert.hpp>
#include <muster/base/cpu_count.hpp>
#include <muster/base/futex.hpp>
#include <muster/futures/errors.hpp>
#include <muster/futures/future_state.hpp>

namespace muster {

std::string_view to_string(FutureState state) noexcept {
  switch (state) {
    case FutureState::pending:
      return "pending";
    case FutureState::dispatched:
      return "dispatched";
    case FutureState::running:
      return "running";
    case FutureState::finished:
      return "finished";
    case FutureState::cancelled:
      return "cancelled";
  }
  return "unknown";
}

std::string_view to_string(CancelRung rung) noexcept {
  switch (rung) {
    case CancelRung::none:
      return "none";
    case CancelRung::withdrawn:
      return "withdrawn";
    case CancelRung::recalled:
      return "recalled";
    case CancelRung::stop_requested:
      return "stop_requested";
    case CancelRung::terminated:
      return "terminated";
    case CancelRung::killed:
      return "killed";
  }
  return "unknown";
}

namespace detail {
namespace {

void run_callback(CallbackBase& callback, SharedStateBase& state) noexcept {
  try {
    callback.run(state);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster: a future's done callback threw: %s\n", error.what());
  } catch (...) {
    std::fprintf(stderr, "muster: a future's done callback threw what is no std::exception\n");
  }
}

/// Each link of a chain of then() completes the next from inside its own callback, and a long chain
/// would use the stack up. From this depth on what is next is put aside, for whoever called to run.
constexpr unsigned chain_depth_max = 64;

struct ChainRun {
  unsigned depth = 0;
  std::list<DoneCallbacks> aside = {};
};

ChainRun& chain_of_this_thread() noexcept {
  thread_local ChainRun chain;
  return chain;
}

/// A time to wait until; none if the wait is to have no end or one too far away to be represented.
std::optional<TimePoint> deadline_of(std::optional<Duration> timeout) {
  if (!timeout) return std::nullopt;
  const TimePoint deadline = muster::deadline_after(Clock::now(), *timeout);
  return deadline == TimePoint::max() ? std::nullopt : std::optional(deadline);
}

}  // namespace

WaitHelper*& WaitHelper::of_this_thread() noexcept {
  thread_local WaitHelper* helper = nullptr;
  return helper;
}

DoneCallbacks::DoneCallbacks(StatePtr<SharedStateBase> state,
                             std::vector<std::unique_ptr<CallbackBase>> callbacks)
    : state_(std::move(state)), callbacks_(std::move(callbacks)) {}

DoneCallbacks::DoneCallbacks(DoneCallbacks&& other) noexcept
    : state_(std::move(other.state_)), callbacks_(std::exchange(other.callbacks_, {})) {}

DoneCallbacks& DoneCallbacks::operator=(DoneCallbacks&& other) noexcept {
  if (this != &other) {
    run();
    state_ = std::move(other.state_);
    callbacks_ = std::exchange(other.callbacks_, {});
  }
  return *this;
}

void DoneCallbacks::run_all() noexcept {
  const auto callbacks = std::exchange(callbacks_, {});
  for (const auto& callback : callbacks) run_callback(*callback, *state_.get());
}

void DoneCallbacks::run_in_turn() noexcept {
  if (callbacks_.empty()) return;
  ChainRun& chain = chain_of_this_thread();
  if (chain.depth == chain_depth_max) {
    chain.aside.push_back(std::move(*this));
    return;
  }
  ++chain.depth;
  run_all();
  if (chain.depth == chain_depth_max) run_callbacks_put_aside();
  --chain.depth;
}

void run_callbacks_put_aside() noexcept {
  std::list<DoneCallbacks>& aside = chain_of_this_thread().aside;
  while (!aside.empty()) {
    DoneCallbacks next = std::move(aside.front());
    aside.pop_front();
    next.run();
  }
}

SharedStateBase::~SharedStateBase() = default;

void SharedStateBase::lock() noexcept {
  constexpr unsigned looks = 64;  // it is held for a few instructions
  for (unsigned look = 0;; ++look) {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    if ((seen & locked_bit) == 0) {
      if (word_.compare_exchange_weak(seen, seen | locked_bit, std::memory_order_acquire)) return;
    } else if (look < looks) {
      cpu_relax();
    } else {
      sleep_while(seen, std::nullopt);
    }
  }
}

void SharedStateBase::unlock() noexcept {
  const std::uint64_t before =
      word_.fetch_and(~(locked_bit | sleepers_bit), std::memory_order_release);
  if ((before & sleepers_bit) != 0) futex_wake_all_low(word_);
}

void SharedStateBase::sleep_while(std::uint64_t seen, std::optional<TimePoint> deadline) noexcept {
  const bool known = (seen & sleepers_bit) != 0;
  if (!known && !word_.compare_exchange_strong(seen, seen | sleepers_bit)) return;
  futex_wait_low(word_, seen | sleepers_bit, deadline);
}

// The sleepers' bit may be set by others meanwhile.
void SharedStateBase::set_state(FutureState to) noexcept {
  std::uint64_t seen = word_.load(std::memory_order_relaxed);
  while (!word_.compare_exchange_weak(seen, (seen & ~state_mask) | static_cast<std::uint64_t>(to),
                                      std::memory_order_acq_rel)) {
  }
}

SharedStateBase::Extras& SharedStateBase::extras() {
  if (extras_ == nullptr) {
    extras_ = std::make_unique<Extras>();
    word_.fetch_or(extras_bit, std::memory_order_relaxed);
  }
  return *extras_;
}

std::shared_ptr<WorkControl> SharedStateBase::control() noexcept {
  return extras_ != nullptr ? extras_->control.lock() : nullptr;
}

FutureState SharedStateBase::observe() {
  const FutureState seen = state();
  if (seen != FutureState::dispatched) return seen;
  std::shared_ptr<WorkControl> control;
  {
    const Lock lock(*this);
    if (done()) return state();
    control = this->control();
  }
  // Not kept: `running` as kept says that somebody here has claimed it.
  const bool started = control != nullptr && control->started(*this);
  const FutureState now = state();
  return started && now == FutureState::dispatched ? FutureState::running : now;
}

bool SharedStateBase::cancel() {
  std::shared_ptr<WorkControl> asked;
  for (;;) {
    std::shared_ptr<WorkControl> control;
    DoneCallbacks callbacks;
    bool is_running = false;
    std::optional<std::stop_source> to_stop;
    {
      Lock lock(*this);
      if (done()) return state() == FutureState::cancelled;
      control = this->control();
      if (control != nullptr && control == asked) return false;
      if (control == nullptr) {
        is_running = state() == FutureState::running;
        if (is_running) {
          to_stop = note_stop();
        } else {
          callbacks = finish(std::move(lock), FutureState::cancelled);
        }
      }
    }
    if (to_stop) to_stop->request_stop();  // without the lock: it runs callbacks of the user
    if (is_running) return false;
    callbacks.run();
    // It completes the state itself, which so tells what came of it. If it did not, the work may
    // have passed into other hands meanwhile.
    if (control != nullptr) control->cancel(*this);
    asked = std::move(control);
  }
}

CancelRung SharedStateBase::stop(const StopOptions& options) {
  std::shared_ptr<WorkControl> asked;
  std::optional<std::stop_source> to_stop;
  for (;;) {
    std::shared_ptr<WorkControl> control;
    {
      Lock lock(*this);
      if (done()) return CancelRung::none;
      control = this->control();
      if (control != nullptr && control == asked) return CancelRung::none;
      if (control == nullptr) {
        if (state() == FutureState::running) {
          if (options.highest >= CancelRung::stop_requested) to_stop = note_stop();
          break;
        }
        finish(std::move(lock), FutureState::cancelled).run();
        return CancelRung::withdrawn;
      }
    }
    const CancelRung reached = control->stop(*this, options);
    if (reached != CancelRung::none) return reached;
    asked = std::move(control);  // as in cancel(): the work may be in other hands now
  }
  if (!to_stop) return CancelRung::none;
  to_stop->request_stop();
  return await_done(options.grace) ? CancelRung::stop_requested : CancelRung::none;
}

bool SharedStateBase::try_start() noexcept {
  std::uint64_t seen = word_.load(std::memory_order_relaxed);
  for (;;) {
    if ((seen & state_mask) >= static_cast<std::uint64_t>(FutureState::running)) return false;
    if ((seen & locked_bit) != 0) {
      lock();
      unlock();
      seen = word_.load(std::memory_order_relaxed);
      continue;
    }
    const std::uint64_t running =
        (seen & ~state_mask) | static_cast<std::uint64_t>(FutureState::running);
    if (word_.compare_exchange_weak(seen, running, std::memory_order_acq_rel)) return true;
  }
}

bool SharedStateBase::claim_uncontrolled(std::shared_ptr<WorkControl>& control) noexcept {
  const Lock lock(*this);
  if (state() >= FutureState::running) return false;
  control = this->control();
  if (control != nullptr) return false;
  set_state(FutureState::running);
  return true;
}

// False: try again, with what `seen` is now.
bool SharedStateBase::set_final(std::uint64_t& seen, std::uint64_t last) noexcept {
  if (!word_.compare_exchange_weak(seen, last, std::memory_order_acq_rel)) return false;
  // Whoever waits may destroy this as soon as the state says so. The wake-up needs the address
  // alone, and a wake-up of nobody, or of somebody else, does no harm.
  if ((seen & sleepers_bit) != 0) futex_wake_all_low(word_);
  return true;
}

DoneCallbacks SharedStateBase::complete() noexcept {
  std::uint64_t seen = word_.load(std::memory_order_relaxed);
  while ((seen & (locked_bit | extras_bit)) == 0) {
    if (set_final(seen, only_state(seen, FutureState::finished))) return {};
  }
  return finish(Lock(*this), FutureState::finished);
}

DoneCallbacks SharedStateBase::complete_and_drop() noexcept {
  std::uint64_t seen = word_.load(std::memory_order_acquire);
  while ((seen & (locked_bit | extras_bit)) == 0) {
    if (references(seen) == 1) {
      delete this;  // nobody is left who would look
      return {};
    }
    if (set_final(seen, only_state(seen - one_reference, FutureState::finished))) return {};
  }
  DoneCallbacks callbacks = finish(Lock(*this), FutureState::finished);
  if (drop_reference()) delete this;
  return callbacks;
}

bool SharedStateBase::advance(FutureState to) {
  const Lock lock(*this);
  if (state() == FutureState::cancelled) return false;
  if (done()) throw InvalidStateError("the future has its result already");
  set_state(to);
  return true;
}

DoneCallbacks SharedStateBase::give_error(std::exception_ptr error) {
  MUSTER_ASSERT(error != nullptr);
  Lock lock = lock_for_outcome();
  error_ = std::move(error);
  return finish(std::move(lock), FutureState::finished);
}

DoneCallbacks SharedStateBase::set_cancelled() {
  Lock lock(*this);
  if (state() == FutureState::cancelled) return {};
  if (done()) throw InvalidStateError("the future has its result already");
  return finish(std::move(lock), FutureState::cancelled);
}

void SharedStateBase::set_control(std::weak_ptr<WorkControl> control) {
  const Lock lock(*this);
  if (!done()) extras().control = std::move(control);
}

void SharedStateBase::abandon() noexcept {
  if (done()) return;
  Lock lock(*this);
  if (done()) return;
  error_ = std::make_exception_ptr(BrokenPromiseError());
  finish(std::move(lock), FutureState::finished).run();
}

SharedStateBase::Lock SharedStateBase::lock_for_outcome() {
  Lock lock(*this);
  if (state() == FutureState::cancelled) {
    throw InvalidStateError("the future is cancelled and takes no result");
  }
  if (done()) throw InvalidStateError("the future has its result already");
  return lock;
}

DoneCallbacks SharedStateBase::finish(Lock lock, FutureState outcome) {
  lock.release();
  if (extras_ == nullptr) {
    // Others may count references meanwhile.
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    while (!set_final(seen, only_state(seen, outcome))) {
    }
    return {};
  }
  auto self = StatePtr<SharedStateBase>::share(*this);
  // Its handler is destroyed after the unlock.
  const std::unique_ptr<Extras> mine = std::move(extras_);
  word_.fetch_and(~extras_bit, std::memory_order_relaxed);
  set_state(outcome);
  for (CompletionListener* listener : mine->listeners) listener->on_done(error_ != nullptr);
  unlock();
  return {std::move(self), std::move(mine->callbacks)};
}

void SharedStateBase::throw_taken() {
  throw InvalidStateError("the result was taken out of the future before");
}

bool SharedStateBase::await_done(const std::optional<Duration>& timeout) {
  if (done()) return true;
  if (!timeout) {
    if (WaitHelper::of_this_thread() != nullptr && run_here()) return true;
  } else if (*timeout <= Duration::zero()) {
    return false;
  }
  return await_long(timeout);
}

bool SharedStateBase::await_long(const std::optional<Duration>& timeout) {
  run_callbacks_put_aside();
  if (done()) return true;
  const std::optional<TimePoint> deadline = deadline_of(timeout);
  if (WaitHelper::of_this_thread() != nullptr) return await_helping(deadline);
  lend_thread(deadline);
  return spin_until_done() || sleep_until_done(deadline);
}

bool SharedStateBase::await_helping(std::optional<TimePoint> deadline) {
  // What runs here runs to its end, so if there is a deadline only where nothing else would run it.
  // Telling the pool costs a lock, and perhaps a thread is started: not for a short wait.
  const bool may_run = !deadline || !WaitHelper::of_this_thread()->can_be_replaced();
  if ((may_run && run_here()) || spin_until_done()) return true;
  SharedStateBase* const awaited = this;
  const WaitScope scope(deadline ? std::span<SharedStateBase* const>() : std::span(&awaited, 1));
  lend_thread(deadline);
  return sleep_until_done(deadline);
}

void SharedStateBase::lend_thread(std::optional<TimePoint> deadline) {
  std::shared_ptr<WorkControl> control;
  {
    const Lock lock(*this);
    if (done()) return;
    control = this->control();
  }
  if (control != nullptr) control->lend_thread(*this, deadline);
}

bool SharedStateBase::spin_until_done() noexcept {
  static const bool spin_pays = usable_cpus() > 1;
  thread_local AdaptiveSpin spin(spin_pays);
  return spin.until([this] { return done(); });
}

bool SharedStateBase::sleep_until_done(std::optional<TimePoint> deadline) noexcept {
  // Without a deadline for ever, as asked: the promise completes it, or its destructor.
  while (!deadline || Clock::now() < *deadline) {
    const std::uint64_t seen = word_.load(std::memory_order_acquire);
    if ((seen & state_mask) >= static_cast<std::uint64_t>(FutureState::finished)) return true;
    sleep_while(seen, deadline);
  }
  return done();
}

void SharedStateBase::await_outcome(const std::optional<Duration>& timeout) {
  if (!await_done(timeout)) throw TimeoutError();
  if (state() == FutureState::cancelled) throw CancelledError();
  if (error_ != nullptr) std::rethrow_exception(error_);
}

std::exception_ptr SharedStateBase::await_error(const std::optional<Duration>& timeout) {
  if (!await_done(timeout)) throw TimeoutError();
  if (state() == FutureState::cancelled) throw CancelledError();
  return error_;
}

void SharedStateBase::add_callback(std::unique_ptr<CallbackBase> callback) {
  {
    const Lock lock(*this);
    if (!done()) {
      extras().callbacks.push_back(std::move(callback));
      return;
    }
  }
  run_callback(*callback, *this);
}

bool SharedStateBase::add_listener(CompletionListener& listener, bool& failed) {
  const Lock lock(*this);
  if (done()) {
    failed = error_ != nullptr;
    return false;
  }
  extras().listeners.push_back(&listener);
  return true;
}

void SharedStateBase::remove_listener(CompletionListener& listener) noexcept {
  const Lock lock(*this);
  if (extras_ != nullptr) std::erase(extras_->listeners, &listener);
}

}  // namespace detail
}  // namespace muster
