#include <algorithm>
#include <cstdio>

#include <muster/base/assert.hpp>
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

/// A time to wait until; none if the wait is to have no end or one too far away to be represented.
std::optional<TimePoint> deadline_after(std::optional<Duration> timeout) {
  if (!timeout) return std::nullopt;
  const TimePoint now = Clock::now();
  if (*timeout >= TimePoint::max() - now) return std::nullopt;
  return now + *timeout;
}

}  // namespace

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

DoneCallbacks::~DoneCallbacks() { run(); }

void DoneCallbacks::run() noexcept {
  const auto callbacks = std::exchange(callbacks_, {});
  for (const auto& callback : callbacks) run_callback(*callback, *state_.get());
}

FutureState SharedStateBase::observe() {
  const FutureState seen = state();
  if (seen != FutureState::dispatched) return seen;
  std::shared_ptr<CancelHandler> handler;
  TaskId task;
  {
    const Lock lock(mutex_);
    handler = handler_.lock();
    task = task_;
  }
  if (handler != nullptr && handler->task_started(task)) {
    const Lock lock(mutex_);
    if (state() == FutureState::dispatched) state_.store(FutureState::running);
  }
  return state();
}

bool SharedStateBase::cancel() {
  std::shared_ptr<CancelHandler> handler;
  TaskId task;
  DoneCallbacks callbacks;
  {
    Lock lock(mutex_);
    if (done()) return state() == FutureState::cancelled;
    handler = handler_.lock();
    task = task_;
    if (handler == nullptr) {
      if (state() == FutureState::running) return false;
      callbacks = finish(std::move(lock), FutureState::cancelled);
    }
  }
  // The handler completes the promise itself, so the state tells what came of it.
  if (handler != nullptr) handler->cancel_task(task);
  callbacks.run();
  return state() == FutureState::cancelled;
}

bool SharedStateBase::advance(FutureState to) {
  const Lock lock(mutex_);
  if (state() == FutureState::cancelled) return false;
  if (done()) throw InvalidStateError("the future has its result already");
  state_.store(to, std::memory_order_release);
  return true;
}

void SharedStateBase::set_error(std::exception_ptr error) {
  MUSTER_ASSERT(error != nullptr);
  Lock lock = lock_for_outcome();
  error_ = std::move(error);
  finish(std::move(lock), FutureState::finished).run();
}

DoneCallbacks SharedStateBase::set_cancelled() {
  Lock lock(mutex_);
  if (state() == FutureState::cancelled) return {};
  if (done()) throw InvalidStateError("the future has its result already");
  return finish(std::move(lock), FutureState::cancelled);
}

void SharedStateBase::set_handler(std::weak_ptr<CancelHandler> handler, TaskId task) {
  const Lock lock(mutex_);
  if (done()) return;
  handler_ = std::move(handler);
  task_ = task;
}

void SharedStateBase::abandon() noexcept {
  if (done()) return;
  Lock lock(mutex_);
  if (done()) return;
  error_ = std::make_exception_ptr(BrokenPromiseError());
  finish(std::move(lock), FutureState::finished).run();
}

SharedStateBase::Lock SharedStateBase::lock_for_outcome() {
  Lock lock(mutex_);
  if (state() == FutureState::cancelled) {
    throw InvalidStateError("the future is cancelled and takes no result");
  }
  if (done()) throw InvalidStateError("the future has its result already");
  return lock;
}

DoneCallbacks SharedStateBase::finish(Lock lock, FutureState outcome) {
  // Whoever waits may destroy the promise as soon as the state says so: this outlives that.
  auto self = StatePtr<SharedStateBase>::share(*this);
  const std::weak_ptr<CancelHandler> handler = std::move(handler_);  // destroyed after the unlock
  state_.store(outcome, std::memory_order_release);
  for (CompletionListener* listener : listeners_) listener->on_done(error_ != nullptr);
  listeners_.clear();
  auto callbacks = std::exchange(callbacks_, {});
  lock.unlock();
  changed_.notify_all();
  return {std::move(self), std::move(callbacks)};
}

void SharedStateBase::throw_taken() {
  throw InvalidStateError("the result was taken out of the future before");
}

bool SharedStateBase::await_done(std::optional<Duration> timeout) {
  if (done()) return true;
  if (timeout && *timeout <= Duration::zero()) return false;
  const std::optional<TimePoint> deadline = deadline_after(timeout);
  Lock lock(mutex_);
  const auto is_done = [this] { return done(); };
  if (deadline) return changed_.wait_until(lock, *deadline, is_done);
  changed_.wait(lock, is_done);  // for ever, as asked: the promise completes it, or its destructor
  return true;
}

void SharedStateBase::await_success(std::optional<Duration> timeout) {
  if (const std::exception_ptr error = await_error(timeout)) std::rethrow_exception(error);
}

std::exception_ptr SharedStateBase::await_error(std::optional<Duration> timeout) {
  if (!await_done(timeout)) throw TimeoutError();
  if (state() == FutureState::cancelled) throw CancelledError();
  return error_;
}

void SharedStateBase::add_callback(std::unique_ptr<CallbackBase> callback) {
  {
    const Lock lock(mutex_);
    if (!done()) {
      callbacks_.push_back(std::move(callback));
      return;
    }
  }
  run_callback(*callback, *this);
}

bool SharedStateBase::add_listener(CompletionListener& listener, bool& failed) {
  const Lock lock(mutex_);
  if (done()) {
    failed = error_ != nullptr;
    return false;
  }
  listeners_.push_back(&listener);
  return true;
}

void SharedStateBase::remove_listener(CompletionListener& listener) noexcept {
  const Lock lock(mutex_);
  std::erase(listeners_, &listener);
}

}  // namespace detail
}  // namespace muster
