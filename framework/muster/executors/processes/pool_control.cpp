#include <algorithm>
#include <csignal>
#include <utility>

#include <muster/executors/processes/pool_core.hpp>

namespace muster::detail {

std::optional<TaskProgress> PoolCore::progress(SharedStateBase& work) const {
  refuse_if_forked();
  auto& task = dynamic_cast<TaskBase&>(work);
  const Lock lock(mutex_);
  if (!holds(task) || task.process == nullptr) return std::nullopt;
  const auto& child = *static_cast<const ChildHandle*>(task.process);
  const TaskChannel& channel = child.channel();
  if (child.pid() == 0 || !channel.running(task)) return std::nullopt;
  const TaskProgress seen{child.pid(), channel.position(), channel.progress()};
  // Still the same task, so the counters were its own.
  if (!channel.running(task)) return std::nullopt;
  return seen;
}

bool PoolCore::started(SharedStateBase& work) {
  if (!is_here()) return false;
  auto& task = dynamic_cast<TaskBase&>(work);
  const Lock lock(mutex_);
  return task.process != nullptr &&
         static_cast<ChildHandle*>(task.process)->channel().started(task);
}

bool PoolCore::cancel(SharedStateBase& work) {
  if (!is_here()) return false;
  auto& task = dynamic_cast<TaskBase&>(work);
  std::optional<DoneCallbacks> callbacks;
  {
    const Lock lock(mutex_);
    callbacks = withdraw(task, true);
  }
  if (!callbacks) return false;
  notify_pump();  // there may be room for another task now
  wake_leader();
  callbacks->run();
  return true;
}

CancelRung PoolCore::stop(SharedStateBase& work, const StopOptions& options) {
  if (!is_here()) return CancelRung::none;
  auto& task = dynamic_cast<TaskBase&>(work);
  bool asked = false;
  {
    Lock lock(mutex_);
    if (!holds(task)) return CancelRung::none;
    const bool sent = task.process != nullptr;
    if (auto callbacks = withdraw(task, false)) {
      lock.unlock();
      notify_pump();
      wake_leader();
      callbacks->run();
      return sent ? CancelRung::recalled : CancelRung::withdrawn;
    }
    auto* const child = static_cast<ChildHandle*>(task.process);
    asked = options.highest >= CancelRung::stop_requested && child != nullptr &&
            task.remote().takes_stop_token && child->channel().running(task);
    if (asked) {
      child->channel().request_stop(task);
      task.note_stop_request();
    }
  }
  if (asked && work.await_done(options.grace)) return CancelRung::stop_requested;
  if (options.highest < CancelRung::terminated) return CancelRung::none;
  Lock lock(mutex_);
  // Its process may have died meanwhile, and it waits to run again.
  if (auto callbacks = withdraw(task, false)) {
    lock.unlock();
    notify_pump();
    wake_leader();
    callbacks->run();
    return CancelRung::recalled;
  }
  auto* const child = holds(task) ? static_cast<ChildHandle*>(task.process) : nullptr;
  const bool stopped =
      child != nullptr && child->channel().withdraw(task, true) == TaskChannel::Withdrawal::running;
  if (!stopped) return CancelRung::none;
  const std::uint64_t name = child->name();
  task.process = nullptr;
  child->stop(SIGTERM);
  DoneCallbacks callbacks = task.state().set_cancelled();
  task_left();
  lock.unlock();
  wake_leader();
  callbacks.run();
  lock.lock();
  if (await_burial(lock, name, options.grace)) return CancelRung::terminated;
  if (options.highest < CancelRung::killed) return CancelRung::terminated;
  for (const auto& each : children_) {
    if (each->name() == name) each->kill();
  }
  return CancelRung::killed;
}

bool PoolCore::await_burial(Lock& lock, std::uint64_t name, Duration timeout) {
  return buried_.wait_for(lock, timeout, [&] {
    return std::none_of(children_.begin(), children_.end(),
                        [&](const auto& child) { return child->name() == name; });
  });
}

bool PoolCore::expire(SharedStateBase& work, const std::exception_ptr& error, bool also_running) {
  if (!is_here()) return false;
  auto& task = dynamic_cast<TaskBase&>(work);
  {
    const Lock lock(mutex_);
    if (!holds(task)) return false;
    TaskExtras& extras = task.extras();
    if (!also_running && extras.deaths + extras.memory_deaths != 0) return false;
    if (auto* child = static_cast<ChildHandle*>(task.process)) {
      const auto reached = child->channel().withdraw(task, also_running);
      if (reached == TaskChannel::Withdrawal::ended) return false;
      if (reached == TaskChannel::Withdrawal::running) child->kill();
    }
    extras.expired = true;
    fail(TaskPtr::share(task), error);
  }
  notify_pump();
  return true;
}

/// Whether the task is here and nobody has decided its outcome: `running` says that somebody just
/// does, a task that runs in a process is `dispatched`. With the lock. The state is read first: a
/// task that a watch takes back has lost its home before it is pending again.
bool PoolCore::holds(const TaskBase& task) const {
  return task.state().state() < FutureState::running &&
         task.home.load(std::memory_order_acquire) == this;
}

/// A task of this pool that has not ended: only the pump is sure to bring it to its end.
bool PoolCore::waits_for_pump(const SharedStateBase& work) const {
  const auto* const task = dynamic_cast<const TaskBase*>(&work);
  return task != nullptr && task->home.load(std::memory_order_acquire) == this && !work.done();
}

// Ends a task as cancelled, if that can still be done. With the lock.
std::optional<DoneCallbacks> PoolCore::withdraw(TaskBase& task, bool also_running) {
  if (!holds(task)) return std::nullopt;
  if (auto* child = static_cast<ChildHandle*>(task.process)) {
    TaskChannel& channel = child->channel();
    const bool may_be_asked = task.remote().takes_stop_token;
    const auto reached = channel.withdraw(task, also_running && !may_be_asked);
    if (reached == TaskChannel::Withdrawal::ended) {
      if (also_running && may_be_asked && channel.running(task)) {
        channel.request_stop(task);
        task.note_stop_request();
      }
      return std::nullopt;
    }
    if (reached == TaskChannel::Withdrawal::running) child->kill();
    task.process = nullptr;
  }
  DoneCallbacks callbacks = task.state().set_cancelled();
  task_left();
  return callbacks;
}

std::vector<DoneCallbacks> PoolCore::cancel_unstarted() {
  std::vector<DoneCallbacks> out;
  while (TaskPtr task = queue_.pop()) {
    if (auto callbacks = withdraw(*task, false)) out.push_back(std::move(*callbacks));
  }
  for (const auto& child : children_) {
    while (TaskPtr task = child->channel().recall_last()) {
      task->process = nullptr;
      if (auto callbacks = withdraw(*task, false)) out.push_back(std::move(*callbacks));
    }
  }
  return out;
}

}  // namespace muster::detail
