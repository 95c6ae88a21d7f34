#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/executors/processes/pool_core.hpp>

namespace muster::detail {
namespace {

/// More requests at a time would fill the socket to the zygote.
constexpr unsigned spawns_unanswered_max = 16;

/// A task whose processes died so often runs where it can harm no other.
constexpr unsigned deaths_until_alone = 2;

/// Tasks written before the process is told of them.
constexpr unsigned batch_max = 64;

}  // namespace

bool PoolCore::is_alone(const TaskBase& task) const {
  const TaskExtras* extras = task.extras_if_any();
  return extras != nullptr &&
         (extras->options.fresh_process || extras->deaths >= deaths_until_alone);
}

/// Too old or too large to get more tasks.
bool PoolCore::is_spent(ChildHandle& child) const {
  if (options_.max_child_age && Clock::now() - child.born >= *options_.max_child_age) return true;
  return options_.max_resident_bytes != 0 && child.channel().wants_to_retire();
}

/// A process that can take one more task: an idle one if there is any. If not, and a new one could
/// be started, that is better than to queue behind another task, so none.
ChildHandle* PoolCore::pick_existing() {
  ChildHandle* best = nullptr;
  for (const auto& child : children_) {
    if (!child->accepts()) continue;
    if (is_spent(*child)) {
      child->close();
      continue;
    }
    if (child->idle()) return child.get();
    if (best == nullptr || child->channel().in_flight_count() < best->channel().in_flight_count()) {
      best = child.get();
    }
  }
  return children_.size() < workers_max_ ? nullptr : best;
}

ChildHandle* PoolCore::pick_or_start(bool alone) {
  if (!alone) {
    if (ChildHandle* child = pick_existing()) return child;
    return can_start() ? start_child(false) : nullptr;
  }
  if (can_start()) return start_child(true);
  if (children_.size() < workers_max_) return nullptr;
  // A place is needed. Whoever is idle gives it up; if nobody is, the queue waits behind this task,
  // or a stream of other tasks could hold it up for ever.
  for (const auto& child : children_) {
    if (child->ending() && (child->killed() || child->channel().in_flight_count() == 0))
      return nullptr;  // one place is being vacated
    if (!child->idle()) continue;
    child->close();
    return nullptr;
  }
  return nullptr;
}

bool PoolCore::can_start() const {
  return !broken_ && children_.size() < workers_max_ && spawns_unanswered_ < spawns_unanswered_max;
}

/// By the pump, which holds both locks. Null if that failed; the pool may be broken then.
ChildHandle* PoolCore::start_child(bool fresh) {
  try {
    auto child = std::make_unique<ChildHandle>(next_child_++, geometry(), fresh, options_.prefetch);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = child->name() + pool_event_children;
    if (::epoll_ctl(events_.get(), EPOLL_CTL_ADD, child->output(), &event) != 0) {
      throw system_error(errno, "cannot watch the output of a task process");
    }
    const SendOutcome outcome = child->request_spawn(zygote_.get(), wake_.get(), lead_.get());
    if (outcome != SendOutcome::sent) unwatch(*child);
    if (outcome == SendOutcome::gone) {
      lose_zygote();
      return nullptr;
    }
    if (outcome == SendOutcome::full) throw Error(ErrorCode::io, "the zygote does not listen");
    ++spawns_unanswered_;
    const ProcessInitializer& initializer = options_.initializer;
    if (initializer.function() != nullptr) {
      child->channel().send_initialize(initializer.function(), initializer.call());
    }
    children_.push_back(std::move(child));
    return children_.back().get();
  } catch (const Error& error) {
    spawn_failed(error.what());
    return nullptr;
  }
}

/// A task whose state says `dispatched` already.
void PoolCore::send(ChildHandle& child, TaskPtr task) {
  if (child.channel().in_flight_count() == 0) child.window().work_begins(Clock::now());
  task->process = &child;
  const TaskExtras* extras = task->extras_if_any();
  if (extras != nullptr && extras->options.run_timeout) watch_run_time(*task);
  child.channel().send_task(std::move(task), ++numbers_);
  ++child.sent;
  if (child.fresh() || child.sent == options_.max_tasks_per_child) child.close();
}

/// The pump ends tasks that run for too long, so it must not sleep for longer than this one may.
void PoolCore::watch_run_time(TaskBase& task) {
  constexpr std::size_t kept_min = 64;
  if (overdue_.size() >= 2 * std::max(overdue_kept_, kept_min)) {
    std::erase_if(overdue_, [](const TaskPtr& each) { return each->process == nullptr; });
    overdue_kept_ = overdue_.size();
  }
  overdue_.push_back(TaskPtr::share(task));
  if (*task.extras().options.run_timeout < pump_sleeps_until_ - Clock::now()) notify_pump();
}

/// Sends the next task of the queue, to `child` if that is given. False if there is none, or no
/// process for it.
bool PoolCore::dispatch_next(ChildHandle* child) {
  while (TaskPtr task = queue_.pop()) {
    if (task->state().state() >= FutureState::running) {  // cancelled, or over a deadline
      if (options_.queue_max != 0) room_.notify_all();
      continue;
    }
    const bool alone = is_alone(*task);
    ChildHandle* chosen = child;
    if (child == nullptr) {
      chosen = pick_or_start(alone);
    } else if (alone) {
      chosen = nullptr;
      notify_pump();  // which starts processes
    }
    if (chosen == nullptr) {
      // If the pool broke meanwhile, this one was not in the queue when the others were failed.
      if (broken_) {
        fail(std::move(task), std::make_exception_ptr(BrokenExecutor(*broken_)));
      } else {
        queue_.put_back(std::move(task));
      }
      return false;
    }
    // False only if it was cancelled behind our back, which its control, us, excludes.
    const bool wanted = task->state().advance(FutureState::dispatched);
    MUSTER_ASSERT(wanted);
    send(*chosen, std::move(task));
    if (options_.queue_max != 0) room_.notify_all();
    return true;
  }
  return false;
}

/// By the pump: also starts processes.
void PoolCore::dispatch_queue() {
  try_more_workers();
  while (dispatch_next(nullptr)) {
  }
  for (const auto& child : children_) flush(*child);
}

/// Makes what was sent visible. A process that has spoilt its ring would never see any of it.
void PoolCore::flush(ChildHandle& child) {
  child.channel().flush();
  if (child.channel().send_ring_broken()) child.kill();
}

/// By either party, after replies: what the process has room for now.
void PoolCore::refill(ChildHandle& child) {
  if (is_spent(child)) child.close();
  if (children_.size() < workers_max_ && queue_.size() != 0) {
    notify_pump();  // a new process may be better for the next task, and the pump starts those
  } else {
    for (unsigned written = 0; child.accepts() && dispatch_next(&child); ++written) {
      if (written % batch_max == batch_max - 1) flush(child);
    }
  }
  flush(child);
}

/// Who holds most tasks; null if nobody holds one that waits.
ChildHandle* PoolCore::busiest() {
  ChildHandle* most = nullptr;
  std::size_t most_held = 1;
  for (const auto& child : children_) {
    const std::size_t held = child->channel().held_count();
    if (held <= most_held) continue;
    most = child.get();
    most_held = held;
  }
  return most;
}

/// Takes tasks that were sent ahead back from busy processes for idle ones, so that no task waits
/// for a long one while there is somebody to run it, or could be. Done before either party sleeps:
/// while results flow, those tasks are about to start where they are.
void PoolCore::rebalance() {
  if (queue_.size() != 0 || broken_) return;
  bool any_idle = false;
  for (const auto& idle : children_) {
    if (!idle->idle()) continue;
    any_idle = true;
    ChildHandle* const busy = busiest();
    if (busy == nullptr) return;
    const std::size_t held = busy->channel().held_count();
    for (std::size_t moved = 0; moved < held / 2 && idle->accepts(); ++moved) {
      TaskPtr task = busy->channel().recall_last();
      if (!task) break;
      --busy->sent;
      send(*idle, std::move(task));
    }
    flush(*idle);
  }
  if (any_idle || children_.size() >= workers_max_) return;
  // A process has ended, and was not replaced as the queue was empty: now there is work for one.
  ChildHandle* const busy = busiest();
  TaskPtr task = busy != nullptr ? busy->channel().recall_last() : TaskPtr();
  if (!task) return;
  --busy->sent;
  requeue(std::move(task));
  notify_pump();
}

/// After shutdown(): whoever has nothing to do, and will get nothing, ends.
void PoolCore::close_idle() {
  const bool no_more = closing_ && queue_.size() == 0;
  for (const auto& child : children_) {
    if ((no_more && child->idle()) || is_spent(*child)) child->close();
  }
}

/// A task that was sent and has not started is as if it had not been sent.
void PoolCore::requeue(TaskPtr task) {
  const bool wanted = task->state().advance(FutureState::pending);
  MUSTER_ASSERT(wanted);
  task->process = nullptr;
  queue_.put_back(std::move(task));
}

/// What the machine refused once it may grant later.
void PoolCore::try_more_workers() {
  if (workers_retry_ == TimePoint() || Clock::now() < workers_retry_) return;
  workers_retry_ = TimePoint();
  workers_max_ = options_.max_workers;
}

}  // namespace muster::detail
