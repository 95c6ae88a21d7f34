#include <algorithm>
#include <bit>
#include <cerrno>
#include <csignal>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <muster/base/assert.hpp>
#include <muster/base/cpu_count.hpp>
#include <muster/base/error.hpp>
#include <muster/base/memory.hpp>
#include <muster/base/units.hpp>
#include <muster/executors/processes/pool_core.hpp>
#include <muster/executors/processes/zygote_link.hpp>
#include <muster/executors/timer.hpp>

namespace muster::detail {
namespace {

constexpr unsigned workers_limit = 4096;
constexpr std::uint64_t open_files_min = 16;
constexpr std::size_t ring_bytes_min = 4096;
constexpr std::size_t ring_bytes_limit = std::size_t{1} << 30U;

ProcessPoolOptions checked(ProcessPoolOptions options) {
  if (options.max_workers == 0) options.max_workers = usable_cpus();
  if (options.max_workers > workers_limit) {
    throw Error(ErrorCode::usage, "max_workers is " + std::to_string(options.max_workers) +
                                      "; at most " + std::to_string(workers_limit) + " work");
  }
  if (options.prefetch && *options.prefetch >= slots_max) {
    throw Error(ErrorCode::usage, "prefetch is " + std::to_string(*options.prefetch) +
                                      "; at most " + std::to_string(slots_max - 1) + " works");
  }
  if (options.limits.open_files != 0) {
    options.limits.open_files = std::max(options.limits.open_files, open_files_min);
  }
  if (options.on_full == OnFull::run_in_caller) {
    throw Error(ErrorCode::usage, "a process pool cannot run tasks in the caller, unprotected",
                "choose OnFull::block or OnFull::raise");
  }
  if (options.ring_bytes > ring_bytes_limit) {
    throw Error(ErrorCode::usage, "ring_bytes is more than " + format_bytes(ring_bytes_limit));
  }
  options.ring_bytes = std::bit_ceil(std::max(options.ring_bytes, ring_bytes_min));
  return options;
}

// Each process takes two descriptors here, and one more of each while it is being made.
std::size_t workers_possible(std::size_t wanted) {
  constexpr rlim_t for_others = 32;
  constexpr rlim_t each = 4;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const rlim_t room = limit.rlim_cur - std::min(limit.rlim_cur, for_others);
  return std::clamp<std::size_t>(room / each, 1, wanted);
}

UniqueFd make_epoll(int wake, int zygote) {
  UniqueFd events(::epoll_create1(EPOLL_CLOEXEC));
  if (!events) throw system_error(errno, "cannot make the pool's epoll");
  for (const int fd : {wake, zygote}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = fd == wake ? pool_event_wake : pool_event_zygote;
    if (::epoll_ctl(events.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      throw system_error(errno, "cannot set up the pool's epoll");
    }
  }
  return events;
}

UniqueFd make_eventfd() {
  UniqueFd made(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!made) throw system_error(errno, "cannot make the pool's eventfd");
  return made;
}

/// The call as it is sent, unless that is quickly made again. Throws what the codec of an argument
/// throws, and Error(limit).
void encode_call(TaskBase& task, std::uint64_t bytes_max) {
  if (task.remote().is_flat && bytes_max >= EncodedCall::borrowed_bytes_min) return;
  EncodedCall& call = task.extras().call.emplace();
  task.encode(call);
  if (call.size() <= bytes_max + call_prefix_bytes) return;
  throw Error(ErrorCode::limit, "the call has " + format_bytes(call.size()) +
                                    ", more than the limit of " + format_bytes(bytes_max));
}

void end_with_current_exception(TaskPtr task) {
  if (!task->start()) return;
  task->refuse(std::current_exception());
  finish(std::move(task)).run();
}

}  // namespace

PoolCore::PoolCore(ProcessPoolOptions options)
    : options_(checked(std::move(options))),
      spin_pays_(usable_cpus() > 1),
      zygote_(connect_to_zygote()),
      wake_(make_eventfd()),
      lead_(make_eventfd()),
      events_(make_epoll(wake_.get(), zygote_.get())),
      workers_max_(workers_possible(options_.max_workers)),
      lead_spin_(spin_pays_),
      spin_(spin_pays_),
      memory_kills_(memory_kill_count()) {}

PoolCore::~PoolCore() { MUSTER_ASSERT(!thread_.joinable()); }

void PoolCore::start() {
  // The program's signal handlers are for its own threads; a new thread inherits the mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { pump(); });
  } catch (const std::system_error& error) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw Error(ErrorCode::broken,
                std::string("the pool's thread cannot be started: ") + error.what(),
                "raise the limits on processes and memory (ulimit -u, ulimit -v)");
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pump_id_.store(thread_.get_id());
}

AreaGeometry PoolCore::geometry() const {
  const std::uint32_t slots = options_.prefetch ? *options_.prefetch + 1 : slots_max;
  return {options_.ring_bytes,  options_.message_bytes_max,  slots,
          spin_pays_ ? 1U : 0U, options_.max_resident_bytes, options_.limits};
}

void PoolCore::throw_if_closed() const {
  if (broken_) throw BrokenExecutor(*broken_);
  if (closing_) throw Error(ErrorCode::broken, "the process pool was shut down");
}

void PoolCore::execute(TaskPtr task) {
  const RemoteCall& remote = task->remote();
  if (remote.function == nullptr) {
    throw Error(
        ErrorCode::usage,
        std::string("the task cannot be sent to another process: ") + remote.refusal,
        "give a plain function, a lambda without captures or with plain ones, and arguments "
        "and results that can be encoded: see docs/sending.md");
  }
  try {
    encode_call(*task, options_.message_bytes_max);
  } catch (...) {
    end_with_current_exception(std::move(task));
    return;
  }
  bool needs_pump = false;
  {
    Lock lock(mutex_);
    throw_if_closed();
    await_room(lock);
    if (!task->move_to(this)) return;  // it was cancelled on its way here
    tasks_.fetch_add(1, std::memory_order_relaxed);
    ChildHandle* child = queue_.size() == 0 && !is_alone(*task) ? pick_existing() : nullptr;
    if (child != nullptr) {
      const bool wanted = task->state().advance(FutureState::dispatched);
      MUSTER_ASSERT(wanted);  // who cancels it now asks us
      send(*child, std::move(task));
      child->channel().flush();
      if (child->channel().take_woken()) woke_child_.store(true, std::memory_order_relaxed);
    } else {
      needs_pump = children_.size() < workers_max_ || is_alone(*task);
      queue_.push(std::move(task));
    }
  }
  if (needs_pump) notify_pump();
}

/// Applies the bound of the queue. Processes that can still be started will take a task each.
void PoolCore::await_room(Lock& lock) {
  if (options_.queue_max == 0) return;
  const auto has_room = [this] {
    const std::size_t startable = workers_max_ - std::min(workers_max_, children_.size());
    return closing_ || broken_ || queue_.size() < options_.queue_max + startable;
  };
  const bool may_exceed = std::this_thread::get_id() == pump_id_ || Timer::is_current_thread();
  if (may_exceed || has_room()) return;
  if (options_.on_full == OnFull::raise) {
    throw QueueFullError(std::to_string(options_.queue_max) +
                         " tasks wait for a process already, as many as queue_max allows");
  }
  WaitHelper* const helper = WaitHelper::of_this_thread();  // of a thread pool
  if (helper != nullptr) {
    lock.unlock();
    helper->before_wait(nullptr);
    lock.lock();
  }
  room_.wait(lock, has_room);  // for ever, as asked: every task ends
  if (helper != nullptr) {
    lock.unlock();
    helper->after_wait();
    lock.lock();
  }
  throw_if_closed();
}

std::optional<TaskProgress> PoolCore::progress(SharedStateBase& work) const {
  auto& task = dynamic_cast<TaskBase&>(work);
  const Lock lock(mutex_);
  if (task.process == nullptr) return std::nullopt;
  const auto& child = *static_cast<const ChildHandle*>(task.process);
  const TaskChannel& channel = child.channel();
  if (child.pid() == 0 || !channel.running(task)) return std::nullopt;
  const TaskProgress seen{child.pid(), channel.position(), channel.progress()};
  // Still the same task, so the counters were its own.
  if (!channel.running(task)) return std::nullopt;
  return seen;
}

bool PoolCore::started(SharedStateBase& work) {
  auto& task = dynamic_cast<TaskBase&>(work);
  const Lock lock(mutex_);
  return task.process != nullptr &&
         static_cast<ChildHandle*>(task.process)->channel().started(task);
}

bool PoolCore::cancel(SharedStateBase& work) {
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

// The pump may be waiting for the last one.
void PoolCore::task_left() noexcept {
  if (tasks_.fetch_sub(1) != 1) return;
  attention_.store(true);
  if (drainers_.load() == 0) return;
  const std::lock_guard lock(drain_mutex_);
  drained_.notify_all();
}

bool PoolCore::drain(std::optional<Duration> timeout) {
  if (std::this_thread::get_id() == pump_id_) {
    throw Error(ErrorCode::usage, "a callback cannot wait until its pool has nothing to do");
  }
  drainers_.fetch_add(1);
  bool is_drained = true;
  {
    Lock lock(drain_mutex_);
    const auto idle = [this] { return tasks_.load() == 0; };
    if (timeout) {
      is_drained = drained_.wait_until(lock, deadline_after(Clock::now(), *timeout), idle);
    } else {
      drained_.wait(lock, idle);  // for ever, as asked: every task ends
    }
  }
  drainers_.fetch_sub(1);
  return is_drained;
}

bool PoolCore::await_killed(Duration timeout) {
  Lock lock(mutex_);
  return buried_.wait_for(lock, timeout, [this] {
    return std::none_of(children_.begin(), children_.end(),
                        [](const auto& child) { return child->killed(); });
  });
}

void PoolCore::shutdown(bool wait, bool cancel_pending) {
  if (wait && std::this_thread::get_id() == pump_id_.load()) {
    throw Error(ErrorCode::usage, "a callback cannot wait for the end of the pool that runs it");
  }
  std::vector<DoneCallbacks> callbacks;
  {
    const Lock lock(mutex_);
    closing_ = true;
    room_.notify_all();
    if (cancel_pending) callbacks = cancel_unstarted();
  }
  notify_pump();
  wake_leader();
  for (DoneCallbacks& each : callbacks) each.run();
  if (wait) join();
}

void PoolCore::terminate(int signal) {
  {
    const Lock lock(mutex_);
    closing_ = true;
    room_.notify_all();
    if (children_.empty() && tasks_.load() == 0) return;
    stopping_signal_ = signal;
  }
  notify_pump();
}

void PoolCore::join() {
  const std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
  pump_id_.store(std::thread::id());
}

std::vector<pid_t> PoolCore::worker_pids() const {
  const Lock lock(mutex_);
  std::vector<pid_t> pids;
  for (const auto& child : children_) {
    if (child->pid() != 0) pids.push_back(child->pid());
  }
  return pids;
}

void PoolCore::notify_pump() {
  attention_.store(true);
  if (pump_waits_.exchange(false)) signal_eventfd(wake_.get());
}

}  // namespace muster::detail
