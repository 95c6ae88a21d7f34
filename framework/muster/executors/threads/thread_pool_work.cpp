#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <pthread.h>

#include <muster/executors/threads/thread_pool_core.hpp>

namespace muster::detail {
namespace {

// How often a thread looks at the shared queue though its tasks have submitted some to its own
// deque, so that tasks which submit tasks for ever do not starve others; and every how many of
// these looks it takes the oldest of its own instead, which in a fork-join is the largest. What is
// there from the shared queue, and nothing else, comes before what is still in it.
constexpr std::uint32_t fair_interval = 61;
constexpr std::uint32_t oldest_interval = 64;
constexpr std::size_t taken_max = 32;

// How far ahead of their turn tasks in the own deque are fetched into the cache.
constexpr std::int64_t prefetched = 3;

// Every how many looks an idle thread tries to steal: each takes cache lines from busy threads.
constexpr std::uint32_t steal_interval = 8;

// How much longer than the first the pauses between looks get.
constexpr std::uint32_t relax_max = 3;

}  // namespace

void ThreadPoolCore::work(ThreadWorker& self) {
  self.enter_thread();
  name_thread(self.number());
  const bool sound = run_initializer();
  while (sound) {
    if (surplus_.load(std::memory_order_relaxed)) park_surplus(self);
    TaskPtr task = find_work(self);
    if (task) {
      if (task->start()) self.run(std::move(task));
    } else if (!park(self)) {
      break;
    }
  }
  const Lock lock(mutex_);
  ++ended_;
  update_wanted();
  if (drainers_ != 0) idle_.notify_all();
}

void ThreadPoolCore::name_thread(unsigned number) const {
  if (options_.thread_name_prefix.empty()) return;
  constexpr std::size_t kept_by_kernel = 15;
  const std::string suffix = fmt::format("-{}", number);
  const std::string name =
      options_.thread_name_prefix.substr(0, kept_by_kernel - suffix.size()) + suffix;
  ::pthread_setname_np(::pthread_self(), name.c_str());
}

bool ThreadPoolCore::run_initializer() {
  if (!options_.initializer) return true;
  try {
    options_.initializer();
    return true;
  } catch (...) {
    break_pool(std::current_exception());
    return false;
  }
}

TaskPtr ThreadPoolCore::find_work(ThreadWorker& self) {
  self.batch_end = std::min(self.batch_end, self.deque.end());
  if (++self.found % fair_interval == 0 && self.deque.end() > self.batch_end) {
    const bool wants_oldest = self.found / fair_interval % oldest_interval == 0;
    if (TaskPtr task = wants_oldest ? TaskPtr(self.deque.steal()) : take_shared(self)) {
      self.set_in_function(true);
      if (wanted_.load(std::memory_order_relaxed) != 0) look_for_thread();
      return task;
    }
  }
  if (TaskPtr task{self.deque.pop()}) {
    // This thread counted as free while callbacks of its last task put more here than it now takes.
    self.set_in_function(true);
    if (!self.deque.empty() && wanted_.load(std::memory_order_relaxed) != 0) look_for_thread();
    self.deque.prefetch(prefetched);
    return task;
  }
  TaskPtr task;
  self.set_in_function(false);
  std::uint32_t looks = 0;
  self.spin.until([&] {
    task = take_shared(self);
    if (!task && looks++ % steal_interval == 0) task = steal(self);
    // A look takes a cache line from whoever submits.
    for (std::uint32_t i = 0; !task && i < std::min(looks, relax_max); ++i) cpu_relax();
    return static_cast<bool>(task) || closed_.load(std::memory_order_relaxed);
  });
  if (task) self.set_in_function(true);
  if (task && wanted_.load(std::memory_order_relaxed) != 0) look_for_thread();
  return task;
}

TaskPtr ThreadPoolCore::take_shared(ThreadWorker& self) {
  const std::size_t waiting = queue_.size();
  if (waiting == 0) return {};
  // Several at once if there are many: then they are probably small.
  const std::size_t count =
      std::min(1 + waiting / (std::size_t{2} * options_.max_workers), taken_max);
  TaskBase* batch[taken_max];
  std::size_t taken = 0;
  {
    const Lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return {};  // another thread takes some: the caller looks again
    taken = queue_.pop(batch, count);
    // The deque gives back last what was pushed first. With the lock: what has left the queue is to
    // be seen here, by a thread that is about to sleep, and by shutdown().
    for (std::size_t i = taken; i > 1; --i) self.deque.push(batch[i - 1]);
    self.batch_end = self.deque.end();
    if (room_waiters_ != 0) room_.notify_all();
  }
  if (taken == 0) return {};
  for (std::int64_t i = 0; i < prefetched; ++i) self.deque.prefetch(i);
  return TaskPtr(batch[0]);
}

TaskPtr ThreadPoolCore::steal(ThreadWorker& self) {
  const unsigned threads = threads_.load(std::memory_order_acquire);
  if (threads < 2) return {};
  const auto first = static_cast<unsigned>(self.random.below(threads));
  for (unsigned i = 0; i < threads; ++i) {
    ThreadWorker& victim = *workers_[(first + i) % threads];
    if (&victim == &self || victim.deque.empty()) continue;
    if (TaskPtr task{victim.deque.steal()}) return task;
  }
  return {};
}

bool ThreadPoolCore::any_deque_has_work() const noexcept {
  const unsigned threads = threads_.load(std::memory_order_acquire);
  for (unsigned i = 0; i < threads; ++i) {
    if (!workers_[i]->deque.empty()) return true;
  }
  return false;
}

// Sleeps if more threads are active than should be: one that was blocked is back.
void ThreadPoolCore::park_surplus(ThreadWorker& self) {
  {
    const Lock lock(mutex_);
    if (!surplus_.load(std::memory_order_relaxed) || closed_.load(std::memory_order_relaxed))
      return;
    parked_.push_back(&self);
    update_wanted();
    if (drainers_ != 0) idle_.notify_all();
  }
  self.sleep_until_woken();
}

// Sleeps until there may be work. False: the pool is closed and there is none.
bool ThreadPoolCore::park(ThreadWorker& self) {
  if (queue_.size() != 0) {
    std::this_thread::yield();  // who is just pushing may need this CPU
    return true;
  }
  {
    const Lock lock(mutex_);
    if (queue_.size() != 0) return true;
    if (closed_.load(std::memory_order_relaxed)) return any_deque_has_work();
    parked_.push_back(&self);
    update_wanted();
    if (drainers_ != 0) idle_.notify_all();
  }
  barrier_everywhere();
  if (queue_.size() != 0 || any_deque_has_work()) {
    const Lock lock(mutex_);
    const auto at = std::find(parked_.begin(), parked_.end(), &self);
    if (at != parked_.end()) {
      parked_.erase(at);
      update_wanted();
      return true;
    }
    // Somebody is about to wake this thread: the wake-up must not be left for later.
  }
  self.sleep_until_woken();
  return true;
}

}  // namespace muster::detail
