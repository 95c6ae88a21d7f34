#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <muster/base/assert.hpp>
#include <muster/base/cpu_count.hpp>
#include <muster/base/error.hpp>
#include <muster/base/memory.hpp>
#include <muster/base/thread.hpp>
#include <muster/base/units.hpp>
#include <muster/executors/encode_call.hpp>
#include <muster/executors/processes/pool_core.hpp>
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

/// The call as it is sent, unless that is quickly made again. Throws what encode_call() throws.
void prepare_call(TaskBase& task, std::uint64_t bytes_max) {
  if (task.remote().is_flat && bytes_max >= EncodedCall::borrowed_bytes_min) return;
  encode_call(task, bytes_max, task.extras().call.emplace());
}

}  // namespace

PoolCore::PoolCore(ProcessPoolOptions options, std::shared_ptr<ZygoteLink> zygote)
    : options_(checked(std::move(options))),
      spin_pays_(usable_cpus() > 1),
      link_(std::move(zygote)),
      zygote_(link_->connect()),
      wake_(make_eventfd()),
      lead_(make_eventfd()),
      events_(make_epoll(wake_.get(), zygote_.get())),
      workers_max_(workers_possible(options_.max_workers)),
      lead_spin_(spin_pays_),
      spin_(spin_pays_),
      memory_kills_(memory_kill_count()) {}

PoolCore::~PoolCore() { MUSTER_ASSERT(!thread_.joinable()); }

void PoolCore::start() {
  thread_ = start_thread("the pool's thread", [this] { pump(); });
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

void PoolCore::refuse_if_forked() const {
  if (is_here()) return;
  throw Error(ErrorCode::usage,
              "a forked child cannot use its parent's process pool: the pool's thread is not here",
              "make a pool in the child");
}

void PoolCore::execute(TaskPtr task) {
  refuse_if_forked();
  require_sendable(*task);
  try {
    prepare_call(*task, options_.message_bytes_max);
  } catch (...) {
    {
      const Lock lock(mutex_);
      throw_if_closed();
    }
    end_with_current_exception(std::move(task));
    return;
  }
  bool needs_pump = false;
  {
    Lock lock(mutex_);
    throw_if_closed();
    await_room(lock);
    needs_pump = workers_retry_ != TimePoint();  // to look again when the machine may grant more
    if (!task->move_to(this)) return;            // it was cancelled on its way here
    tasks_.fetch_add(1, std::memory_order_relaxed);
    ChildHandle* child = queue_.size() == 0 && !is_alone(*task) ? pick_existing() : nullptr;
    if (child != nullptr) {
      const bool wanted = task->state().advance(FutureState::dispatched);
      MUSTER_ASSERT(wanted);  // who cancels it now asks us
      send(*child, std::move(task));
      flush(*child);
      if (child->channel().take_woken()) woke_child_.store(true, std::memory_order_relaxed);
    } else {
      needs_pump = needs_pump || children_.size() < workers_max_ || is_alone(*task);
      queue_.push(std::move(task));
    }
  }
  if (needs_pump) notify_pump();
}

/// Processes that can still be started will take a task each.
bool PoolCore::has_room() const {
  const std::size_t startable = workers_max_ - std::min(workers_max_, children_.size());
  return queue_.size() < options_.queue_max + startable;
}

/// Whether the queue's bound is not for the calling thread.
bool PoolCore::may_exceed() const {
  return std::this_thread::get_id() == pump_id_ || Timer::is_current_thread();
}

/// Applies the bound of the queue.
void PoolCore::await_room(Lock& lock) {
  if (options_.queue_max == 0 || may_exceed() || has_room()) return;
  if (options_.on_full == OnFull::raise) {
    throw QueueFullError(std::to_string(options_.queue_max) +
                         " tasks wait for a process already, as many as queue_max allows");
  }
  // Without the lock a thread pool is told that its thread is back, and the room may be gone again.
  while (!has_room()) {
    lock.unlock();
    {
      const WaitScope scope({});  // the thread may be one of a thread pool
      lock.lock();
      // For ever, as asked: every task ends.
      room_.wait(lock, [this] { return closing_ || broken_ || has_room(); });
      lock.unlock();
    }
    lock.lock();
    throw_if_closed();
  }
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
  refuse_if_forked();
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
  refuse_if_forked();
  Lock lock(mutex_);
  return buried_.wait_for(lock, timeout, [this] {
    return std::none_of(children_.begin(), children_.end(),
                        [](const auto& child) { return child->killed(); });
  });
}

void PoolCore::shutdown(bool wait, bool cancel_pending) {
  if (!is_here()) return;
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
  refuse_if_forked();
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
  refuse_if_forked();
  const Lock lock(mutex_);
  std::vector<pid_t> pids;
  for (const auto& child : children_) {
    if (child->pid() != 0) pids.push_back(child->pid());
  }
  return pids;
}

bool PoolCore::end_for_memory(pid_t pid) {
  const Lock lock(mutex_);
  for (const auto& child : children_) {
    if (child->pid() != pid) continue;
    child->end_for_memory();
    return true;
  }
  return false;
}

void PoolCore::notify_pump() {
  attention_.store(true);
  if (pump_waits_.exchange(false)) signal_eventfd(wake_.get());
}

}  // namespace muster::detail
