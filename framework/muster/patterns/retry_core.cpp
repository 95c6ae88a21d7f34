#include <cstdio>
#include <utility>
#include <vector>

#include <muster/executors/errors.hpp>
#include <muster/futures/errors.hpp>
#include <muster/patterns/retry_core.hpp>

namespace muster::detail {
namespace {

bool is_cancellation(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const Error& thrown) {  // it may come from another process
    return thrown.code() == ErrorCode::cancelled;
  } catch (...) {
    return false;
  }
}

bool may_be_transient(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const DeadlineError&) {
    return false;
  } catch (const BrokenExecutor&) {
    return false;
  } catch (...) {
    return true;
  }
}

}  // namespace

/// Of one task.
class RetryCore::Watch final : public TaskWatch {
 public:
  explicit Watch(std::shared_ptr<RetryCore> core) : core_(std::move(core)) {}

  void on_outcome(TaskPtr& task) noexcept override {
    // The task may be gone when this returns, and this watch with it.
    const std::shared_ptr<RetryCore> core = core_;
    if (!is_over) core->ran(task, *this);
  }

  unsigned failures = 0;
  bool is_over = false;  // what comes is the outcome, whatever it is

 private:
  std::shared_ptr<RetryCore> core_;
};

unsigned retries_of(SharedStateBase& work) noexcept {
  auto* const task = dynamic_cast<TaskBase*>(&work);
  const TaskExtras* const extras = task != nullptr ? task->extras_if_any() : nullptr;
  return extras != nullptr ? extras->retries.load(std::memory_order_relaxed) : 0;
}

RetryCore::RetryCore(Executor& inner, RetryOptions options)
    : inner_(inner), options_(std::move(options)), random_(options_.seed) {}

void RetryCore::execute(TaskPtr task) {
  if (options_.attempts_max > 1 && !task->make_repeatable()) {
    throw Error(ErrorCode::usage,
                "a task cannot be retried: its function or one of its arguments cannot be copied",
                "pass what can be copied, such as a std::shared_ptr, or submit it elsewhere");
  }
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      throw Error(ErrorCode::broken,
                  "a task was submitted to a RetryingExecutor after its shutdown");
    }
    OpenTasks::add(open_, *task);
  }
  auto self = std::static_pointer_cast<RetryCore>(shared_from_this());
  task->add_watch(std::make_unique<Watch>(std::move(self)));
  inner_.execute(std::move(task));
}

void RetryCore::ran(TaskPtr& task, Watch& watch) noexcept {
  attempts_.fetch_add(1, std::memory_order_relaxed);
  std::exception_ptr error = task->kept_error();
  if (error == nullptr) return;
  const std::optional<TimePoint> next = next_attempt(*task, error, ++watch.failures);
  if (!next) {
    given_up_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  TaskPtr taken = std::move(task);
  taken->drop_watches_inside(watch);
  taken->rearm();
  if (taken->stop_requested()) {  // since next_attempt() asked: it went to what rearm() has renewed
    give_up({std::move(taken), &watch, std::move(error), 0, {}});
    return;
  }
  retries_.fetch_add(1, std::memory_order_relaxed);
  taken->extras().retries.fetch_add(1, std::memory_order_relaxed);
  keep(std::move(taken), watch, std::move(error), *next);
}

/// When to run it again, if at all.
std::optional<TimePoint> RetryCore::next_attempt(const TaskBase& task,
                                                 const std::exception_ptr& error,
                                                 unsigned failures) noexcept {
  if (failures >= options_.attempts_max || task.stop_requested()) return std::nullopt;
  if (task.extras_if_any()->expired) return std::nullopt;  // queues may still refer to it
  if (is_cancellation(error) || !wants_retry(error)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (cancels_) return std::nullopt;
  const TimePoint next =
      deadline_after(Clock::now(), retry_delay(options_, failures, random_.unit()));
  const std::optional<TimePoint>& deadline = task.extras_if_any()->total_deadline;
  if (deadline && next >= *deadline) return std::nullopt;
  return next;
}

bool RetryCore::wants_retry(const std::exception_ptr& error) const noexcept {
  if (!options_.retry_if) return may_be_transient(error);
  try {
    return options_.retry_if(error);
  } catch (const std::exception& thrown) {
    std::fprintf(stderr, "muster: RetryOptions::retry_if threw: %s\n", thrown.what());
  } catch (...) {
    std::fprintf(stderr, "muster: RetryOptions::retry_if threw what is no std::exception\n");
  }
  return false;
}

/// The timer does it even without a delay: this may be a thread that an executor cannot do without.
void RetryCore::keep(TaskPtr task, Watch& watch, std::exception_ptr error, TimePoint until) {
  Waiting failed;
  TaskPtr cancelled;
  {
    const std::lock_guard lock(mutex_);
    if (cancels_) {
      cancelled = std::move(task);
    } else {
      if (!task->move_to(this)) return;  // its future has cancelled it already
      const SharedStateBase* const work = &task->state();
      const auto at = waiting_.try_emplace(work).first;
      at->second = {std::move(task), &watch, std::move(error), ++kept_, {}};
      try {
        at->second.timer = Timer::of_this_process().call_at(
            until, [self = std::static_pointer_cast<RetryCore>(shared_from_this()), work,
                    number = kept_] { self->run_again(work, number); });
      } catch (const Error&) {  // it has no thread
        failed = remove(at);
      }
    }
  }
  if (cancelled) cancelled->state().cancel();
  if (failed.task) give_up(std::move(failed));
}

/// Ends a task that cannot be run again with what it threw, which tells more than why it cannot.
void RetryCore::give_up(Waiting waiting) noexcept {
  waiting.watch->is_over = true;
  given_up_.fetch_add(1, std::memory_order_relaxed);
  end_with_error(std::move(waiting.task), std::move(waiting.last_error));
}

/// With the lock.
RetryCore::Waiting RetryCore::remove(WaitingMap::iterator at) noexcept {
  Waiting removed = std::move(at->second);
  waiting_.erase(at);
  removed.task->move_to(nullptr);
  return removed;
}

void RetryCore::run_again(const SharedStateBase* work, std::uint64_t number) noexcept {
  std::optional<OpenTasks::HandOver> hand_over;
  Waiting due;
  {
    const std::lock_guard lock(mutex_);
    const auto at = waiting_.find(work);
    if (at == waiting_.end() || at->second.number != number) return;  // taken out meanwhile
    hand_over.emplace(open_, *at->second.task);  // before its future alone decides when it ends
    due = remove(at);
  }
  const std::optional<TimePoint>& deadline = due.task->extras().total_deadline;
  if (deadline && Clock::now() >= *deadline) {
    give_up(std::move(due));
    return;
  }
  try {
    inner_.execute(TaskPtr::share(*due.task));
  } catch (...) {
    due.task->drop_watches_inside(*due.watch);
    due.task->move_to(nullptr);
    give_up(std::move(due));
  }
}

TaskPtr RetryCore::take_out(SharedStateBase& work) noexcept {
  Waiting taken;
  {
    const std::lock_guard lock(mutex_);
    const auto at = waiting_.find(&work);
    if (at == waiting_.end()) return {};
    taken = remove(at);
  }
  Timer::of_this_process().cancel(taken.timer);
  taken.watch->is_over = true;
  return std::move(taken.task);
}

void RetryCore::shutdown(bool wait, bool cancel_pending) {
  std::vector<TaskPtr> to_cancel;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    cancels_ = cancels_ || cancel_pending;
    if (cancels_) {
      for (const auto& [work, waiting] : waiting_) {
        to_cancel.push_back(TaskPtr::share(*waiting.task));
      }
    }
  }
  // Some may have become due meanwhile, and some had just before.
  for (const TaskPtr& task : to_cancel) cancel_unless_running(*task);
  to_cancel.clear();
  if (cancel_pending) open_->cancel_handed_on();
  if (wait) open_->await_none(std::nullopt);
}

RetryStatistics RetryCore::statistics() const {
  return {attempts_.load(std::memory_order_relaxed), retries_.load(std::memory_order_relaxed),
          given_up_.load(std::memory_order_relaxed)};
}

}  // namespace muster::detail
