#include <pthread.h>

#include <muster/base/forks.hpp>
#include <muster/base/thread.hpp>
#include <muster/executors/timer.hpp>

namespace muster::detail {
namespace {

constinit PerProcess<Timer> timers;
thread_local bool is_timer_thread = false;

}  // namespace

Timer& Timer::of_this_process() { return timers.get(); }

bool Timer::is_current_thread() noexcept { return is_timer_thread; }

Timer::~Timer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

TimerEntry Timer::add(TimePoint when, std::unique_ptr<Callable> callable) {
  const std::lock_guard lock(mutex_);
  if (!thread_.joinable()) start_thread();
  const TimerEntry entry{when, ++added_};
  const auto at = entries_.emplace(entry, std::move(callable)).first;
  if (at == entries_.begin()) changed_.notify_one();
  return entry;
}

bool Timer::cancel(const TimerEntry& entry) noexcept {
  if (entry.number == 0) return false;
  std::unique_lock lock(mutex_);
  const auto node = entries_.extract(entry);
  lock.unlock();  // what it holds is destroyed without the lock
  return !node.empty();
}

void Timer::start_thread() {
  thread_ = muster::start_thread("the timer's thread", [this] { run(); });
}

void Timer::run() noexcept {
  ::pthread_setname_np(::pthread_self(), "muster-timer");
  is_timer_thread = true;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (entries_.empty()) {
      changed_.wait(lock);  // for ever: add() and the destructor wake it
      continue;
    }
    const TimePoint first = entries_.begin()->first.when;
    if (Clock::now() < first) {
      changed_.wait_until(lock, first);
      continue;
    }
    auto node = entries_.extract(entries_.begin());
    lock.unlock();
    node.mapped()->call();
    node = {};  // what it holds is destroyed without the lock
    lock.lock();
  }
}

}  // namespace muster::detail
