#include <algorithm>
#include <random>
#include <utility>

#include <fmt/format.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/base/thread.hpp>
#include <muster/cluster/client/cluster_core.hpp>
#include <muster/cluster/local_host.hpp>
#include <muster/executors/code_address.hpp>
#include <muster/executors/encode_call.hpp>
#include <muster/executors/errors.hpp>
#include <muster/executors/processes/task_host.hpp>

namespace muster::cluster {
namespace {

wire::Hello hello_of(const ClusterOptions& options) {
  wire::Hello hello = hello_of_this_process();
  hello.role = wire::Role::client;
  hello.name = options.name;
  return hello;
}

/// The call as it travels.
Bytes flatten(const detail::EncodedCall& call, Bytes out) {
  out.reserve(out.size() + call.size());
  for (std::size_t at = 0; at < call.size();) {
    const std::string_view piece = call.piece(at);
    out.append(piece);
    at += piece.size();
  }
  return out;
}

Bytes encode(detail::TaskBase& task, std::uint64_t bytes_max) {
  const auto function = reinterpret_cast<const void*>(task.remote().function);
  Bytes out = detail::call_by_address(detail::code_address(function));
  detail::EncodedCall call;
  detail::encode_call(task, bytes_max, call, [&] { out = flatten(call, std::move(out)); });
  return out;
}

/// Nothing if there is nothing to say.
std::optional<wire::CallOptions> options_of(const detail::TaskBase& task, unsigned worker_retries) {
  wire::CallOptions out;
  const bool is_usual = worker_retries == out.worker_retries && task.priority == 0;
  const detail::TaskExtras* const extras = task.extras_if_any();
  if (is_usual && extras == nullptr) return std::nullopt;
  out.worker_retries = worker_retries;
  out.priority = task.priority;
  if (extras == nullptr) return out;
  const TaskOptions& options = extras->options;
  if (options.run_timeout) out.run_ns = options.run_timeout->count();
  out.alone = options.fresh_process;
  out.process_retries = options.retries.worker_lost;
  out.memory_retries = options.retries.out_of_memory;
  return out;
}

}  // namespace

ClusterCore::ClusterCore(std::unique_ptr<transport::Dialer> dialer, ClusterOptions options,
                         OwnProgram program)
    : options_(std::move(options)),
      program_(std::move(program)),
      dialer_(std::move(dialer)),
      link_(hello_of(options_), {}, std::random_device()()),
      runner_(*dialer_, link_, *this) {}

ClusterCore::~ClusterCore() { MUSTER_ASSERT(!thread_.joinable()); }

void ClusterCore::start() {
  thread_ = start_thread("the thread of the link to the coordinator", [this] { run(); });
  Lock lock(mutex_);
  connected_.wait_until(lock, deadline_after(Clock::now(), options_.connect_within),
                        [this] { return had_session_ || refused_ || broken_; });
  if (had_session_) return;
  const std::optional<wire::Refusal> refused = refused_;
  const std::string trouble = trouble_.empty() ? "the coordinator does not answer" : trouble_;
  const std::string hint = hint_;
  closing_ = true;
  lock.unlock();
  wake();
  join();
  if (refused) {
    throw Error(ErrorCode::usage, "the coordinator does not take this client: " + refused->message,
                refused->hint);
  }
  throw Error(ErrorCode::io, trouble, hint);
}

void ClusterCore::throw_if_closed() const {
  if (broken_) throw BrokenExecutor(*broken_);
  if (closing_) throw Error(ErrorCode::broken, "the cluster executor was shut down");
}

void ClusterCore::refuse_if_forked() const {
  if (is_here()) return;
  throw Error(ErrorCode::usage,
              "a forked child cannot use its parent's cluster executor: its threads are not here",
              "make an executor in the child");
}

void ClusterCore::execute(detail::TaskPtr task) {
  refuse_if_forked();
  detail::require_sendable(*task);
  Open open;
  try {
    open.bytes = encode(*task, options_.call_bytes_max);
  } catch (...) {
    {
      const Lock lock(mutex_);
      throw_if_closed();
    }
    detail::end_with_current_exception(std::move(task));
    return;
  }
  open.options = options_of(*task, options_.worker_retries);
  bool is_first = false;
  {
    const Lock lock(mutex_);
    throw_if_closed();
    if (!task->move_to(this)) return;  // it was cancelled on its way here
    const Number number = ++last_number_;
    task->sequence = number;
    open.task = std::move(task);
    {
      const std::lock_guard idle(idle_mutex_);
      ++tasks_;
    }
    is_first = unsent_.empty();
    unsent_.push_back(number);
    calls_.emplace(number, std::move(open));
  }
  if (is_first) wake();
}

bool ClusterCore::holds(const detail::TaskBase& task) const {
  return task.state().state() < FutureState::running &&
         task.home.load(std::memory_order_acquire) == this;
}

ClusterCore::Open* ClusterCore::find(const detail::TaskBase& task) {
  const auto found = calls_.find(task.sequence);
  return found == calls_.end() ? nullptr : &found->second;
}

/// Its place in the queue stays behind, and names nothing.
void ClusterCore::forget(const detail::TaskBase& task) {
  const auto found = calls_.find(task.sequence);
  if (found == calls_.end()) return;
  if (found->second.sent) {
    --in_flight_;
    bytes_in_flight_ -= found->second.bytes.size();
  }
  const bool is_news = found->second.asked_back;
  calls_.erase(found);
  if (is_news) news_.notify_all();
}

void ClusterCore::withdraw(Number number, wire::Withdrawals::How how) {
  withdrawals_.push_back({number, how});
}

/// Ends a task as cancelled, whatever its worker does just now. The caller counts it.
std::optional<detail::DoneCallbacks> ClusterCore::cancel_here(detail::TaskBase& task) {
  Open* const open = holds(task) ? find(task) : nullptr;
  if (open == nullptr) return std::nullopt;
  if (open->sent) withdraw(task.sequence, wire::Withdrawals::How::stop);
  const detail::TaskPtr kept = detail::TaskPtr::share(task);
  forget(task);
  return task.state().set_cancelled();
}

bool ClusterCore::cancel(detail::SharedStateBase& work) {
  if (!is_here()) return false;
  auto& task = dynamic_cast<detail::TaskBase&>(work);
  std::optional<detail::DoneCallbacks> callbacks;
  {
    const Lock lock(mutex_);
    if (!holds(task)) return false;
    const Open* const open = find(task);
    if (open != nullptr && open->started && task.remote().takes_stop_token) {
      withdraw(task.sequence, wire::Withdrawals::How::ask);
      task.note_stop_request();
    } else {
      callbacks = cancel_here(task);
    }
  }
  wake();
  if (!callbacks) return false;
  callbacks->run();
  task_left();
  return true;
}

/// Asks back a call that may not have started. True if it has been given back; false if it runs, or
/// there was no news of it.
bool ClusterCore::await_recall(Lock& lock, detail::TaskBase& task, Duration timeout) {
  Open* const open = find(task);
  if (std::this_thread::get_id() == thread_.get_id()) return false;  // which brings the news
  if (!std::exchange(open->asked_back, true))
    withdraw(task.sequence, wire::Withdrawals::How::recall);
  wake();
  const auto is_over = [&] { return find(task) == nullptr; };
  news_.wait_until(lock, deadline_after(Clock::now(), timeout),
                   [&] { return is_over() || find(task)->started; });
  return is_over();
}

CancelRung ClusterCore::stop(detail::SharedStateBase& work, const StopOptions& options) {
  if (!is_here()) return CancelRung::none;
  auto& task = dynamic_cast<detail::TaskBase&>(work);
  std::optional<detail::DoneCallbacks> callbacks;
  CancelRung rung = CancelRung::withdrawn;
  {
    Lock lock(mutex_);
    const Open* const open = holds(task) ? find(task) : nullptr;
    if (open == nullptr || options.highest < CancelRung::withdrawn) return CancelRung::none;
    if (open->sent) {
      if (options.highest < CancelRung::recalled) return CancelRung::none;
      if (!open->started && await_recall(lock, task, options.grace)) {
        lock.unlock();
        return work.await_done(options.grace) && work.state() == FutureState::cancelled
                   ? CancelRung::recalled
                   : CancelRung::none;
      }
      if (!holds(task) || options.highest < CancelRung::stop_requested) return CancelRung::none;
      if (task.remote().takes_stop_token) {
        withdraw(task.sequence, wire::Withdrawals::How::ask);
        task.note_stop_request();
        lock.unlock();
        wake();
        if (work.await_done(options.grace)) return CancelRung::stop_requested;
        lock.lock();
      }
      if (options.highest < CancelRung::killed) return CancelRung::none;
      rung = CancelRung::killed;
    }
    callbacks = cancel_here(task);
  }
  if (!callbacks) return CancelRung::none;
  wake();
  callbacks->run();
  task_left();
  return rung;
}

bool ClusterCore::started(detail::SharedStateBase& work) {
  if (!is_here()) return false;
  auto& task = dynamic_cast<detail::TaskBase&>(work);
  const Lock lock(mutex_);
  const Open* const open = find(task);
  return open != nullptr && open->started && open->task.get() == &task;
}

bool ClusterCore::expire(detail::SharedStateBase& work, const std::exception_ptr& error,
                         bool also_running) {
  if (!is_here()) return false;
  auto& task = dynamic_cast<detail::TaskBase&>(work);
  detail::TaskPtr claimed;
  {
    const Lock lock(mutex_);
    const Open* const open = holds(task) ? find(task) : nullptr;
    if (open == nullptr || (open->started && !also_running)) return false;
    if (open->sent) withdraw(task.sequence, wire::Withdrawals::How::stop);
    claimed = detail::TaskPtr::share(task);
    if (!task.start()) return false;
    forget(task);
  }
  wake();
  claimed->extras().expired = true;
  claimed->refuse(error);
  callbacks_.post(finish(std::move(claimed)), [this] { task_left(); });
  return true;
}

bool ClusterCore::drain(std::optional<Duration> timeout) {
  refuse_if_forked();
  if (callbacks_.is_this_thread())
    throw Error(ErrorCode::usage, "a callback cannot wait until its executor has nothing to do");
  std::unique_lock lock(idle_mutex_);
  const auto is_idle = [this] { return tasks_ == 0; };
  if (timeout) return idle_.wait_until(lock, deadline_after(Clock::now(), *timeout), is_idle);
  idle_.wait(lock, is_idle);  // for ever, as asked: every task ends
  return true;
}

void ClusterCore::task_left() noexcept {
  const std::lock_guard lock(idle_mutex_);
  if (--tasks_ != 0) return;
  idle_.notify_all();
  runner_.wake();  // which may wait for the last one
}

void ClusterCore::shutdown(bool wait, bool cancel_pending) {
  if (!is_here()) return;
  if (wait && (callbacks_.is_this_thread() || std::this_thread::get_id() == thread_.get_id())) {
    throw Error(ErrorCode::usage,
                "a callback cannot wait for the end of the executor that runs it");
  }
  std::vector<detail::DoneCallbacks> cancelled;
  {
    Lock lock(mutex_);
    closing_ = true;
    if (cancel_pending) cancelled = cancel_unstarted(lock);
  }
  wake();
  for (detail::DoneCallbacks& each : cancelled) {
    each.run();
    task_left();
  }
  if (wait) join();
}

/// Those that were sent may have started: they are asked back, and for a short while the answers
/// are waited for.
std::vector<detail::DoneCallbacks> ClusterCore::cancel_unstarted(Lock& lock) {
  std::vector<detail::DoneCallbacks> cancelled;
  std::vector<detail::TaskPtr> unsent;
  std::vector<Number> asked;
  for (auto& [number, open] : calls_) {
    if (open.started) continue;
    if (!open.sent) {
      unsent.push_back(detail::TaskPtr::share(*open.task));
    } else if (!std::exchange(open.asked_back, true)) {
      withdraw(number, wire::Withdrawals::How::recall);
      asked.push_back(number);
    }
  }
  for (const detail::TaskPtr& task : unsent) {
    if (auto callbacks = cancel_here(*task)) cancelled.push_back(std::move(*callbacks));
  }
  if (asked.empty() || std::this_thread::get_id() == thread_.get_id()) return cancelled;
  wake();
  constexpr Duration patience = std::chrono::seconds(1);
  news_.wait_for(lock, patience, [&] {
    std::erase_if(asked, [&](Number each) {
      const auto found = calls_.find(each);
      return found == calls_.end() || found->second.started;
    });
    return asked.empty();
  });
  return cancelled;
}

void ClusterCore::wake() { runner_.wake(); }

void ClusterCore::join() {
  const std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
  callbacks_.end();
}

}  // namespace muster::cluster
