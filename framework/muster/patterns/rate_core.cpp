#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <muster/base/assert.hpp>
#include <muster/patterns/rate_core.hpp>

namespace muster::detail {
namespace {

constexpr std::size_t sweep_at_least = 64;

// Says that the task has been in other hands than those of the executor that runs it, so that no
// thread runs it out of its turn (Task::run_here): those hands may be gone when it looks.
class PassedOn final : public TaskWatch {
 public:
  void on_outcome(TaskPtr& /*task*/) noexcept override {}
};

TokenBucket full_bucket(const RateLimitOptions& options) {
  constexpr double per_second_max = 1e9;
  if (!(options.per_second > 0 && options.per_second <= per_second_max)) {
    throw Error(ErrorCode::usage, "RateLimitOptions: per_second is not above 0 and up to 1e9");
  }
  if (options.burst < 1) throw Error(ErrorCode::usage, "RateLimitOptions: burst is 0");
  if (options.keys_max < 1) throw Error(ErrorCode::usage, "RateLimitOptions: keys_max is 0");
  constexpr double nanoseconds = 1e9;
  const double interval = std::ceil(nanoseconds / options.per_second);
  constexpr double years = 365.0 * 24 * 3600 * nanoseconds;
  if (interval * options.burst > 10 * years) {
    throw Error(ErrorCode::usage, "RateLimitOptions: a burst takes more than ten years to refill");
  }
  return {Duration(static_cast<Duration::rep>(interval)), options.burst};
}

}  // namespace

RateCore::RateCore(Executor& inner, const RateLimitOptions& options)
    : inner_(inner),
      full_bucket_(full_bucket(options)),
      keys_max_(options.keys_max),
      keyless_(std::make_shared<Lane>(full_bucket_)),
      sweep_at_(std::min(sweep_at_least, options.keys_max)) {}

void RateCore::throw_if_closed() const {
  if (!closed_) return;
  throw Error(ErrorCode::broken,
              "a task was submitted to a RateLimitedExecutor after its shutdown");
}

void RateCore::execute(std::optional<std::string_view> key, TaskPtr task) {
  task->add_watch(std::make_unique<PassedOn>());
  Lock lock(mutex_);
  throw_if_closed();
  if (!task->move_to(this)) return;  // it was cancelled on its way here
  const TaskBase* const own = task.get();
  std::shared_ptr<Lane> lane;
  try {
    lane = lane_of(key);
  } catch (...) {
    task->move_to(nullptr);
    throw;
  }
  OpenTasks::add(open_, *task);
  const bool is_first = lane->waiting.empty();  // otherwise the timer is set
  const auto at = lane->waiting.insert(lane->waiting.end(), std::move(task));
  places_[&(*at)->state()] = {lane, at};
  if (is_first && !lane->is_letting_out) let_out(lock, lane, own);
}

std::shared_ptr<RateCore::Lane> RateCore::lane_of(std::optional<std::string_view> key) {
  if (!key) return keyless_;
  const auto found = lanes_.find(std::string(*key));
  if (found != lanes_.end()) return found->second;
  if (lanes_.size() >= sweep_at_) forget_idle_lanes(Clock::now());
  if (lanes_.size() >= keys_max_) {
    throw Error(ErrorCode::limit,
                "a RateLimitedExecutor has " + std::to_string(keys_max_) +
                    " keys in use, and a task for one more was submitted",
                "raise RateLimitOptions::keys_max, or submit less for new keys");
  }
  return lanes_.emplace(*key, std::make_shared<Lane>(full_bucket_)).first->second;
}

/// Looks again when there are twice as many, so that a submission pays for one lane on average.
void RateCore::forget_idle_lanes(TimePoint now) {
  std::erase_if(lanes_, [&](const auto& each) {
    const Lane& lane = *each.second;
    return lane.waiting.empty() && !lane.is_letting_out && lane.bucket.is_full(now);
  });
  sweep_at_ = std::min(std::max(sweep_at_least, 2 * lanes_.size()), keys_max_);
}

TaskPtr RateCore::take_first(Lane& lane) {
  TaskPtr task = std::move(lane.waiting.front());
  lane.waiting.pop_front();
  places_.erase(&task->state());
  const bool was_waiting = task->move_to(nullptr);
  MUSTER_ASSERT(was_waiting);  // as long as it is here nobody else ends it
  return task;
}

/// Hands over all tasks for which there are tokens. What the inner executor throws about `own`, the
/// caller's own task, is thrown. Returns with the lock, unless it throws.
void RateCore::let_out(Lock& lock, const std::shared_ptr<Lane>& lane, const TaskBase* own) {
  lane->is_letting_out = true;
  std::exception_ptr own_error;
  while (!lane->waiting.empty() && lane->bucket.try_take(Clock::now())) {
    {
      // Before its future alone decides when it ends.
      const OpenTasks::HandOver hand_over(open_, *lane->waiting.front());
      TaskPtr task = take_first(*lane);
      lock.unlock();
      TaskPtr shared = TaskPtr::share(*task);
      try {
        inner_.execute(std::move(task));
      } catch (...) {
        shared->move_to(nullptr);
        if (shared.get() == own) {
          own_error = std::current_exception();
        } else {
          end_with_error(std::move(shared), std::current_exception());
        }
      }
    }
    lock.lock();
  }
  lane->is_letting_out = false;
  if (!lane->waiting.empty()) {
    try {
      set_timer(lane, lane->bucket.next(Clock::now()));
    } catch (...) {
      const std::exception_ptr error = std::current_exception();
      if (fail_waiting(lock, *lane, error, own)) own_error = error;
    }
  }
  if (own_error != nullptr) std::rethrow_exception(own_error);
}

/// Nobody would let them out. True if the caller's own task is among them, which is left to it.
bool RateCore::fail_waiting(Lock& lock, Lane& lane, const std::exception_ptr& error,
                            const TaskBase* own) {
  bool has_own = false;
  lane.is_letting_out = true;  // what comes meanwhile waits, and fails with the others
  while (!lane.waiting.empty()) {
    TaskPtr task = take_first(lane);
    const bool is_own = task.get() == own;
    lock.unlock();
    if (is_own) {
      has_own = true;
      task = {};
    } else {
      end_with_error(std::move(task), error);
    }
    lock.lock();
  }
  lane.is_letting_out = false;
  return has_own;
}

void RateCore::set_timer(const std::shared_ptr<Lane>& lane, TimePoint when) {
  Timer& timer = Timer::of_this_process();
  timer.cancel(lane->timer);
  auto self = std::static_pointer_cast<RateCore>(shared_from_this());
  lane->timer = timer.call_at(when, [self = std::move(self), lane] {
    Lock lock(self->mutex_);
    if (!lane->is_letting_out) self->let_out(lock, lane, nullptr);
  });
}

TaskPtr RateCore::take_out(SharedStateBase& work) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(&work);
  if (found == places_.end()) return {};
  const auto [lane, at] = found->second;
  TaskPtr task = std::move(*at);
  lane->waiting.erase(at);
  places_.erase(found);
  task->move_to(nullptr);
  return task;
}

void RateCore::shutdown(bool wait, bool cancel_pending) {
  std::vector<TaskPtr> to_cancel;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (cancel_pending) {
      for (const auto& [work, place] : places_) to_cancel.push_back(TaskPtr::share(**place.at));
    }
  }
  // Some may have been let out meanwhile, and some were just before.
  for (const TaskPtr& task : to_cancel) cancel_unless_running(*task);
  to_cancel.clear();
  if (cancel_pending) open_->cancel_handed_on();
  if (wait) open_->await_none(std::nullopt);
}

std::size_t RateCore::waiting_count() const {
  const std::lock_guard lock(mutex_);
  return places_.size();
}

std::size_t RateCore::key_count() const {
  const std::lock_guard lock(mutex_);
  return lanes_.size();
}

}  // namespace muster::detail
