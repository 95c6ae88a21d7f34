#include <condition_variable>
#include <mutex>

#include <muster/futures/wait.hpp>

namespace muster::detail {
namespace {

/// Counts completions and wakes the waiter once it has seen enough. Lives on the waiter's stack,
/// for as long as it is registered with any state.
class WaitListener final : public CompletionListener {
 public:
  WaitListener(ReturnWhen return_when, std::size_t count)
      : return_when_(return_when), outstanding_(count) {}

  void on_done(bool failed) noexcept override {
    const std::lock_guard lock(mutex_);
    --outstanding_;
    if (return_when_ == ReturnWhen::first_completed) enough_ = true;
    if (return_when_ == ReturnWhen::first_exception && failed) enough_ = true;
    if (outstanding_ == 0) enough_ = true;
    if (enough_) changed_.notify_all();
  }

  bool has_enough() {
    const std::lock_guard lock(mutex_);
    return enough_;
  }

  void wait(std::optional<TimePoint> deadline) {
    std::unique_lock lock(mutex_);
    const auto is_enough = [this] { return enough_; };
    if (deadline) {
      changed_.wait_until(lock, *deadline, is_enough);
    } else {
      changed_.wait(lock, is_enough);  // for ever, as asked; every promise ends its futures
    }
  }

 private:
  const ReturnWhen return_when_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t outstanding_;
  bool enough_ = false;
};

/// Takes the listener back from every state it was given to, whatever happens in between.
class Registration {
 public:
  Registration(std::span<SharedStateBase* const> states, WaitListener& listener)
      : states_(states), listener_(listener) {
    try {
      for (SharedStateBase* state : states_) {
        bool failed = false;
        if (!state->add_listener(listener_, failed)) listener_.on_done(failed);
      }
    } catch (...) {  // no memory
      take_back();
      throw;
    }
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() { take_back(); }

 private:
  void take_back() noexcept {
    for (SharedStateBase* state : states_) state->remove_listener(listener_);
  }

  std::span<SharedStateBase* const> states_;
  WaitListener& listener_;
};

// For a thread of a pool, whose tasks may be among them and may have no other thread to run.
void run_what_has_not_started(std::span<SharedStateBase* const> states) {
  for (SharedStateBase* state : states) state->run_here();
}
void run_until_enough(std::span<SharedStateBase* const> states, WaitListener& listener) {
  for (SharedStateBase* state : states) {
    if (listener.has_enough()) return;
    state->run_here();
  }
}

}  // namespace

void wait_for_states(std::span<SharedStateBase* const> states, const WaitOptions& options) {
  if (states.empty()) return;
  const TimePoint now = Clock::now();
  std::optional<TimePoint> deadline;
  if (options.timeout && *options.timeout < TimePoint::max() - now) {
    deadline = now + *options.timeout;
  }
  run_callbacks_put_aside();
  const WaitHelper* const helper = WaitHelper::of_this_thread();
  const bool looks_only = options.timeout && *options.timeout <= Duration::zero();
  const bool for_all = options.return_when == ReturnWhen::all_completed;
  // What is run here runs to its end, so if there is a deadline only where nothing else would run
  // it.
  const bool may_run =
      helper != nullptr && (!deadline || (!looks_only && !helper->can_be_replaced()));
  if (may_run && for_all) run_what_has_not_started(states);
  WaitListener listener(options.return_when, states.size());
  const Registration registration(states, listener);
  if (may_run && !for_all) run_until_enough(states, listener);
  if (helper == nullptr || looks_only || listener.has_enough()) {
    listener.wait(deadline);
    return;
  }
  const bool can_deadlock = !deadline && (for_all || states.size() == 1);
  const WaitScope scope(can_deadlock ? states : std::span<SharedStateBase* const>());
  listener.wait(deadline);
}

}  // namespace muster::detail
