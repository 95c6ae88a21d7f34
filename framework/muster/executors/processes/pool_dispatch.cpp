#include <cerrno>
#include <cstdio>
#include <utility>

#include <sys/epoll.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/executors/processes/pool_core.hpp>

namespace muster::detail {
namespace {

/// More requests at a time would fill the socket to the zygote.
constexpr unsigned spawns_unanswered_max = 16;
constexpr Duration workers_retry_after = std::chrono::seconds(5);

}  // namespace

/// A process that can take one more task: an idle one if there is any. If not, and a new one could
/// be started, that is better than to queue behind another task, so none.
ChildHandle* PoolCore::pick_existing() {
  ChildHandle* best = nullptr;
  for (const auto& [name, child] : children_) {
    if (child->idle()) return child.get();
    if (!child->accepts()) continue;
    if (best == nullptr || child->channel().in_flight_count() < best->channel().in_flight_count()) {
      best = child.get();
    }
  }
  return children_.size() < workers_max_ ? nullptr : best;
}

ChildHandle* PoolCore::pick_or_start(bool fresh) {
  if (!fresh) {
    if (ChildHandle* child = pick_existing()) return child;
    return can_start() ? start_child(false) : nullptr;
  }
  if (can_start()) return start_child(true);
  if (children_.size() < workers_max_) return nullptr;
  // A place is needed. Whoever is idle gives it up; if nobody is, the queue waits behind this task,
  // or a stream of other tasks could hold it up for ever.
  for (const auto& [name, child] : children_) {
    if (child->ending()) return nullptr;  // one place is being vacated
    if (!child->idle()) continue;
    child->close();
    return nullptr;
  }
  return nullptr;
}

bool PoolCore::can_start() const {
  return !broken_ && children_.size() < workers_max_ && spawns_unanswered_ < spawns_unanswered_max;
}

/// Null if that failed; the pool may be broken then.
ChildHandle* PoolCore::start_child(bool fresh) {
  try {
    auto child = std::make_unique<ChildHandle>(next_child_++, geometry(), fresh);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = child->name() + pool_event_children;
    if (::epoll_ctl(events_.get(), EPOLL_CTL_ADD, child->output(), &event) != 0) {
      throw system_error(errno, "cannot watch the output of a task process");
    }
    const SendOutcome outcome = child->request_spawn(zygote_.get(), wake_.get());
    if (outcome == SendOutcome::gone) {
      lose_zygote();
      return nullptr;
    }
    if (outcome == SendOutcome::full) throw Error(ErrorCode::io, "the zygote does not listen");
    ++spawns_unanswered_;
    ChildHandle* started = child.get();
    children_.emplace(child->name(), std::move(child));
    return started;
  } catch (const Error& error) {
    spawn_failed(error.what());
    return nullptr;
  }
}

void PoolCore::send(ChildHandle& child, TaskId id, TaskRecord& record) {
  // False only if it was cancelled behind our back, which its handler, us, excludes.
  const bool wanted = record.promise.set_dispatched();
  MUSTER_ASSERT(wanted);
  record.child = &child;
  record.slot = child.channel().send_task(id, record.function, record.argument);
}

void PoolCore::dispatch_queue() {
  try_more_workers();
  while (!queue_.empty()) {
    const TaskId id = queue_.front();
    TaskRecord* record = tasks_.find(id);
    if (record != nullptr) {
      ChildHandle* child = pick_or_start(record->fresh_process);
      if (child == nullptr) break;  // or the pool broke, and the queue is empty
      send(*child, id, *record);
      if (record->fresh_process) child->close();
    }
    queue_.pop_front();
  }
  for (const auto& [name, child] : children_) child->channel().flush();
}

/// Takes tasks that were sent ahead back from busy processes for idle ones, so that no task waits
/// for a long one while there is somebody to run it. Done before the pump sleeps: while results
/// flow, those tasks are about to start where they are.
void PoolCore::rebalance() {
  if (!queue_.empty()) return;
  for (const auto& [name, idle] : children_) {
    if (!idle->idle()) continue;
    ChildHandle* busiest = nullptr;
    for (const auto& [other_name, other] : children_) {
      if (other->channel().in_flight_count() < 2) continue;
      if (busiest == nullptr ||
          other->channel().in_flight_count() > busiest->channel().in_flight_count()) {
        busiest = other.get();
      }
    }
    if (busiest == nullptr || !move_task(*busiest, *idle)) return;
  }
}

/// Moves the last task sent to `from` that has not started. False if there is none.
bool PoolCore::move_task(ChildHandle& from, ChildHandle& to) {
  const std::vector<InFlight> tasks = from.channel().in_flight();
  for (auto task = tasks.rbegin(); task != tasks.rend(); ++task) {
    TaskRecord* record = tasks_.find(task->task);
    if (record == nullptr || record->child != &from) continue;  // taken back before
    if (!from.channel().recall(record->slot)) continue;
    send(to, task->task, *record);
    to.channel().flush();
    return true;
  }
  return false;
}

/// After shutdown(): whoever has nothing to do, and will get nothing, ends.
void PoolCore::close_idle() {
  if (!closing_ || !queue_.empty()) return;
  for (const auto& [name, child] : children_) {
    if (child->idle()) child->close();
  }
}

/// Puts the tasks that a dead process had not started back to the front of the queue, in order and
/// uncharged.
void PoolCore::requeue(ChildHandle& child) {
  const std::vector<InFlight> tasks = child.channel().in_flight();
  for (auto task = tasks.rbegin(); task != tasks.rend(); ++task) {
    TaskRecord* record = tasks_.find(task->task);
    if (record == nullptr || record->child != &child || task->started) continue;
    const bool wanted = record->promise.set_pending();
    MUSTER_ASSERT(wanted);
    record->child = nullptr;
    queue_.push_front(task->task);
  }
}

/// What the machine refused once it may grant later.
void PoolCore::try_more_workers() {
  if (workers_retry_ == TimePoint() || Clock::now() < workers_retry_) return;
  workers_retry_ = TimePoint();
  workers_max_ = options_.max_workers;
}

void PoolCore::spawn_failed(const std::string& reason) {
  if (children_.empty()) {
    break_pool("no task process can be started: " + reason);
    return;
  }
  workers_max_ = children_.size();
  workers_retry_ = Clock::now() + workers_retry_after;
  std::fprintf(stderr, "muster: the process pool goes on with %zu processes: %s\n", workers_max_,
               reason.c_str());
}

/// Fails everything that is not decided yet, once and for all.
void PoolCore::break_pool(const std::string& reason) {
  if (broken_) return;
  broken_ = "the process pool is broken: " + reason;
  for (const TaskId id : tasks_.ids()) {
    Completion& completion = completions_.emplace_back();
    completion.promise = tasks_.remove(id).promise;
    completion.error = std::make_exception_ptr(Error(ErrorCode::broken, *broken_));
  }
  queue_.clear();
  for (const auto& [name, child] : children_) child->kill();
}

/// Its children die with it, by the kernel's doing, and no one is left to report that.
void PoolCore::lose_zygote() {
  zygote_lost_ = true;
  zygote_to_bury_ = true;
  break_pool("the connection to the zygote, the process that makes task processes, is lost");
  ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, zygote_.get(), nullptr);
}

}  // namespace muster::detail
