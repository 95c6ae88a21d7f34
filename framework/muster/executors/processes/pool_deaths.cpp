#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <muster/base/error.hpp>
#include <muster/base/memory.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/errors.hpp>
#include <muster/executors/processes/pool_core.hpp>
#include <muster/futures/errors.hpp>

namespace muster::detail {
namespace {

// Processes in a row that ended before they ran anything: by their own doing, or killed by others,
// which says nothing about the program but cannot go on for ever.
constexpr unsigned early_deaths_max = 3;
constexpr unsigned early_kills_max = 100;

constexpr Duration workers_retry_after = std::chrono::seconds(5);

}  // namespace

/// Charges the death to the task that was running and to no other.
void PoolCore::bury(ChildHandle& child, const SpawnMessage& exit) {
  bool started = child.replied();
  const bool in_time = child.channel().in_flight_count() == 0 && exit.status == 0;
  charge(child, exit, started);
  if (started) {
    early_deaths_ = early_kills_ = 0;
  } else if (!in_time && !child.killed()) {
    ++(child.describe_death(exit).own_doing() ? early_deaths_ : early_kills_);
  }
  forget(child);
  if (early_deaths_ < early_deaths_max && early_kills_ < early_kills_max) return;
  break_pool(fmt::format("{} task processes in a row died before they ran anything",
                         early_deaths_ + early_kills_));
}

void PoolCore::charge(ChildHandle& child, const SpawnMessage& exit, bool& started) {
  std::vector<InFlight> held = child.channel().take_all();
  // From the back, so that what goes back to the front of the queue keeps its order.
  for (auto each = held.rbegin(); each != held.rend(); ++each) {
    started = started || each->started;
    if (!each->task) continue;
    if (!each->started) {
      requeue(std::move(each->task));
      continue;
    }
    TaskExtras& extras = each->task->extras();
    const bool for_memory = died_for_memory(child, exit);
    ++(for_memory ? extras.memory_deaths : extras.deaths);
    if (may_run_again(*each->task, for_memory)) {
      requeue(std::move(each->task));
    } else {
      WorkerDeath death = child.describe_death(exit);
      death.task = each->number;
      death.task_name = extras.options.name;
      death.out_of_memory = for_memory;
      death.deaths = extras.deaths + extras.memory_deaths;
      fail(std::move(each->task), std::make_exception_ptr(WorkerDiedError(std::move(death))));
    }
  }
}

bool PoolCore::may_run_again(TaskBase& task, bool for_memory) const {
  if (broken_ || stopping_signal_ != 0 || task.stop_requested()) return false;
  const TaskExtras& extras = task.extras();
  const RetryBudget& budget = extras.options.retries;
  return for_memory ? extras.memory_deaths <= budget.out_of_memory
                    : extras.deaths <= budget.worker_lost;
}

/// The kernel kills for want of memory with SIGKILL, and counts that in our control group. So does
/// whoever watches over us, who has said so.
bool PoolCore::died_for_memory(const ChildHandle& child, const SpawnMessage& exit) {
  if (child.took_too_much_memory()) return WIFSIGNALED(exit.status);
  if (child.killed() || !WIFSIGNALED(exit.status) || WTERMSIG(exit.status) != SIGKILL) return false;
  const std::uint64_t before = std::exchange(memory_kills_, memory_kill_count());
  return memory_kills_ > before;
}

/// Its outcome is this error, told by the pump.
void PoolCore::fail(TaskPtr task, std::exception_ptr error) {
  task->process = nullptr;
  if (!task->start()) return;
  failed_.push_back({std::move(task), FrameKind::error, {}, std::move(error)});
}

void PoolCore::forget(ChildHandle& child) {
  unwatch(child);
  std::erase_if(children_, [&](const auto& each) { return each.get() == &child; });
  buried_.notify_all();
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
  notify_pump();  // what needed a new process may now need the place of an idle one
}

/// The process does nothing any more. Logged once, however many processes it fails in.
void PoolCore::initializer_failed(const Reply& reply) {
  if (broken_) return;
  std::string what = "it threw";
  try {
    std::rethrow_exception(decode_exception(reply.payload));
  } catch (const RemoteFacts& facts) {
    what = facts.summary();
  } catch (const std::exception& error) {
    what = error.what();
  }
  std::fprintf(stderr, "muster: a process pool's initializer threw: %s\n", what.c_str());
  break_pool("its initializer threw: " + what);
}

/// Fails everything that is not decided yet, once and for all.
void PoolCore::break_pool(const std::string& reason) {
  if (broken_) return;
  broken_ = "the process pool is broken: " + reason;
  room_.notify_all();
  const auto error = std::make_exception_ptr(BrokenExecutor(*broken_));
  while (TaskPtr task = queue_.pop()) fail(std::move(task), error);
  for (const auto& child : children_) {
    child->kill();
    for (InFlight& each : child->channel().take_all()) {
      if (each.task) fail(std::move(each.task), error);
    }
  }
  notify_pump();
}

/// Its children die with it, by the kernel's doing, and no one is left to report that.
void PoolCore::lose_zygote() {
  zygote_lost_ = true;
  zygote_to_bury_ = true;
  break_pool("the connection to the zygote, the process that makes task processes, is lost");
  ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, zygote_.get(), nullptr);
}

/// Ends tasks that have run for longer than they may.
void PoolCore::end_overdue() {
  const TimePoint now = Clock::now();
  std::erase_if(overdue_, [&](const TaskPtr& task) {
    auto* child = static_cast<ChildHandle*>(task->process);
    if (task->state().done() || child == nullptr) return true;
    TaskChannel& channel = child->channel();
    const Duration limit = *task->extras().options.run_timeout;
    if (!channel.running(*task) || now - channel.started_at() < limit) return false;
    const TimePoint started = channel.started_at();
    if (!channel.running(*task) || now - started < limit) return false;  // the next one, started
    if (channel.withdraw(*task, true) != TaskChannel::Withdrawal::running) return false;
    child->kill();
    fail(TaskPtr::share(*task),
         std::make_exception_ptr(DeadlineError(fmt::format(
             "{} ran for longer than its run_timeout of {} ms, and its process was killed",
             task->extras().called(),
             std::chrono::duration_cast<std::chrono::milliseconds>(limit).count()))));
    return true;
  });
}

}  // namespace muster::detail
