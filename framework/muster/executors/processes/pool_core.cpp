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
#include <muster/base/units.hpp>
#include <muster/executors/processes/pool_core.hpp>
#include <muster/executors/processes/zygote_link.hpp>

namespace muster::detail {
namespace {

constexpr unsigned workers_limit = 4096;
constexpr std::size_t ring_bytes_min = 4096;
constexpr std::size_t ring_bytes_limit = std::size_t{1} << 30U;

ProcessPoolOptions checked(ProcessPoolOptions options) {
  if (options.max_workers == 0) options.max_workers = usable_cpus();
  if (options.max_workers > workers_limit) {
    throw Error(ErrorCode::usage, "max_workers is " + std::to_string(options.max_workers) +
                                      "; at most " + std::to_string(workers_limit) + " work");
  }
  if (options.prefetch >= slots_max) {
    throw Error(ErrorCode::usage, "prefetch is " + std::to_string(options.prefetch) + "; at most " +
                                      std::to_string(slots_max - 1) + " works");
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

}  // namespace

PoolCore::PoolCore(ProcessPoolOptions options)
    : options_(checked(std::move(options))),
      spin_pays_(usable_cpus() > 1),
      zygote_(connect_to_zygote()),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      workers_max_(workers_possible(options_.max_workers)),
      spin_(spin_pays_) {
  if (!wake_) throw system_error(errno, "cannot make the pool's eventfd");
  events_ = make_epoll(wake_.get(), zygote_.get());
}

PoolCore::~PoolCore() { MUSTER_ASSERT(!thread_.joinable()); }

void PoolCore::start() {
  // The program's signal handlers are for its own threads; a new thread inherits the mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { pump(); });
  } catch (...) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pump_id_ = thread_.get_id();
}

AreaGeometry PoolCore::geometry() const {
  return {options_.ring_bytes, options_.message_bytes_max, options_.prefetch + 1,
          spin_pays_ ? 1U : 0U};
}

SubmittedTask PoolCore::submit(TaskFunction function, Bytes argument,
                               const RawTaskOptions& options) {
  if (function == nullptr) throw Error(ErrorCode::usage, "the task has no function");
  const bool oversize = argument.size() > options_.message_bytes_max;
  const std::size_t argument_size = argument.size();
  Promise<Bytes> promise;
  SubmittedTask submitted{promise.future(), {}};
  bool needs_pump = false;
  std::optional<TaskRecord> refused;
  {
    const std::lock_guard lock(mutex_);
    if (broken_) throw Error(ErrorCode::broken, *broken_);
    if (closing_) throw Error(ErrorCode::broken, "the process pool was shut down");
    submitted.id = tasks_.add(
        {function, std::move(argument), std::move(promise), options.fresh_process, nullptr, 0});
    TaskRecord& record = *tasks_.find(submitted.id);
    if (oversize) {
      refused = tasks_.remove(submitted.id);
    } else {
      record.promise.on_cancel(weak_from_this(), submitted.id);
      ChildHandle* child = queue_.empty() && !record.fresh_process ? pick_existing() : nullptr;
      if (child != nullptr) {
        send(*child, submitted.id, record);
        child->channel().flush();
      } else {
        queue_.push_back(submitted.id);
        needs_pump = true;
      }
    }
  }
  if (needs_pump) notify_pump();
  if (refused) {
    refused->promise.set_exception(
        Error(ErrorCode::limit, "the argument has " + format_bytes(argument_size) +
                                    ", more than the limit of " +
                                    format_bytes(options_.message_bytes_max)));
  }
  return submitted;
}

std::optional<TaskProgress> PoolCore::progress(TaskId task) const {
  const std::lock_guard lock(mutex_);
  const TaskRecord* record = tasks_.find(task);
  if (record == nullptr || record->child == nullptr || record->child->pid() == 0) {
    return std::nullopt;
  }
  const TaskChannel& channel = record->child->channel();
  if (!channel.running(record->slot)) return std::nullopt;
  const TaskProgress seen{record->child->pid(), channel.position(), channel.progress()};
  // Still the same task, so the counters were its own.
  if (!channel.running(record->slot)) return std::nullopt;
  return seen;
}

bool PoolCore::task_started(TaskId task) {
  const std::lock_guard lock(mutex_);
  const TaskRecord* record = tasks_.find(task);
  return record != nullptr && record->child != nullptr &&
         record->child->channel().started(record->slot);
}

bool PoolCore::cancel_task(TaskId task) {
  std::optional<DoneCallbacks> callbacks;
  {
    const std::lock_guard lock(mutex_);
    callbacks = withdraw(task, true);
  }
  if (!callbacks) return false;
  notify_pump();  // there may be room for another task now
  callbacks->run();
  return true;
}

/// Ends a task as cancelled, if that can still be done. With the lock.
std::optional<DoneCallbacks> PoolCore::withdraw(TaskId task, bool also_running) {
  TaskRecord* record = tasks_.find(task);
  if (record == nullptr) return std::nullopt;
  if (record->child != nullptr) {
    const auto reached =
        record->child->channel().withdraw(record->slot, record->argument, also_running);
    if (reached == TaskChannel::Withdrawal::ended) return std::nullopt;
    if (reached == TaskChannel::Withdrawal::running) record->child->kill();
  }
  return tasks_.remove(task).promise.set_cancelled();
}

std::vector<DoneCallbacks> PoolCore::cancel_unstarted() {
  std::vector<DoneCallbacks> out;
  for (const TaskId task : tasks_.ids()) {
    if (auto callbacks = withdraw(task, false)) out.push_back(std::move(*callbacks));
  }
  return out;
}

bool PoolCore::await_killed(Duration timeout) {
  std::unique_lock lock(mutex_);
  return buried_.wait_for(lock, timeout, [this] {
    return std::none_of(children_.begin(), children_.end(),
                        [](const auto& child) { return child.second->killed(); });
  });
}

void PoolCore::shutdown(bool wait, bool cancel_pending) {
  if (wait && std::this_thread::get_id() == pump_id_) {
    throw Error(ErrorCode::usage, "a callback cannot wait for the end of the pool that runs it");
  }
  std::vector<DoneCallbacks> callbacks;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    if (cancel_pending) callbacks = cancel_unstarted();
  }
  notify_pump();
  for (DoneCallbacks& each : callbacks) each.run();
  if (wait) join();
}

void PoolCore::join() {
  const std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

std::vector<pid_t> PoolCore::worker_pids() const {
  const std::lock_guard lock(mutex_);
  std::vector<pid_t> pids;
  for (const auto& [name, child] : children_) {
    if (child->pid() != 0) pids.push_back(child->pid());
  }
  return pids;
}

void PoolCore::notify_pump() {
  attention_.store(true);
  if (pump_sleeps_.exchange(false)) signal_eventfd(wake_.get());
}

}  // namespace muster::detail
