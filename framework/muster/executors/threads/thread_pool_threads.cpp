#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <muster/base/cpu_count.hpp>
#include <muster/executors/threads/thread_pool_core.hpp>

namespace muster::detail {

// How many threads could be active and are not.
void ThreadPoolCore::update_wanted() noexcept {
  const unsigned threads = threads_.load(std::memory_order_relaxed) - ended_;
  const auto parked = static_cast<unsigned>(parked_.size());
  const unsigned active = threads - std::min(threads, parked + blocked_);
  surplus_.store(active > options_.max_workers, std::memory_order_relaxed);
  const unsigned idle_slots = options_.max_workers - std::min(active, options_.max_workers);
  const unsigned startable = threads_max - threads_.load(std::memory_order_relaxed);
  const bool is_over = closed_.load(std::memory_order_relaxed) && parked == 0 && blocked_ == 0;
  wanted_.store(is_over ? 0 : std::min(idle_slots, parked + startable), std::memory_order_seq_cst);
}

std::size_t ThreadPoolCore::work_count() const {
  std::size_t count = queue_.size();
  for (unsigned i = 0; i < threads_.load(std::memory_order_relaxed); ++i) {
    if (!workers_[i]->deque.empty()) ++count;
  }
  return count;
}

// Active threads that are about to look for work.
unsigned ThreadPoolCore::free_threads() const {
  const unsigned threads = threads_.load(std::memory_order_relaxed);
  unsigned not_in_function = 0;
  for (unsigned i = 0; i < threads; ++i) {
    if (!workers_[i]->in_function()) ++not_in_function;
  }
  const auto asleep = static_cast<unsigned>(parked_.size()) + ended_;
  return not_in_function - std::min(not_in_function, asleep);
}

// Wakes or starts threads, as far as there is work that no thread is about to take. Wakes them
// after the unlock: the first thing that they do is to take the lock.
void ThreadPoolCore::add_threads(Lock& lock) {
  std::size_t work = work_count();
  const std::size_t taken = free_threads();
  work -= std::min(work, taken);
  ThreadWorker* to_wake = nullptr;
  bool has_none = false;
  for (; work > 0 && wanted_.load(std::memory_order_relaxed) != 0; --work) {
    if (!parked_.empty()) {
      parked_.back()->next_to_wake = std::exchange(to_wake, parked_.back());
      parked_.pop_back();
      update_wanted();
    } else if (!start_thread()) {  // those that run will do it, if there are any
      has_none = threads_.load(std::memory_order_relaxed) == 0;
      break;
    }
  }
  lock.unlock();
  // No thread ends before it is woken, but once it is it may sleep again, and be in another list.
  while (to_wake != nullptr) std::exchange(to_wake, to_wake->next_to_wake)->wake();
  if (has_none) fail_queued_without_threads();
}

void ThreadPoolCore::look_for_thread() {
  Lock lock(mutex_);
  add_threads(lock);
}

// False if the system gives none.
bool ThreadPoolCore::start_thread() noexcept {
  const unsigned number = threads_.load(std::memory_order_relaxed);
  try {
    const bool spin_pays = usable_cpus() > 1;
    workers_[number] = std::make_unique<ThreadWorker>(*this, number, spin_pays);
    ThreadWorker& worker = *workers_[number];
    worker.thread = std::thread([this, &worker] { work(worker); });
  } catch (const std::system_error&) {
    workers_[number].reset();
    return false;
  } catch (const std::bad_alloc&) {
    workers_[number].reset();
    return false;
  }
  threads_.store(number + 1, std::memory_order_release);
  update_wanted();
  return true;
}

void ThreadPoolCore::block() {
  Lock lock(mutex_);
  ++blocked_;
  update_wanted();
  if (wanted_.load(std::memory_order_relaxed) == 0) return;
  lock.unlock();
  barrier_everywhere();
  lock.lock();
  add_threads(lock);
}

// Every thread of this process passes a full memory barrier before this returns. Where the kernel
// does not offer that, the slow global form does the same.
void ThreadPoolCore::barrier_everywhere() noexcept {
  static const bool expedited =
      ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  const int command = expedited ? MEMBARRIER_CMD_PRIVATE_EXPEDITED : MEMBARRIER_CMD_GLOBAL;
  ::syscall(SYS_membarrier, command, 0, 0);
}

void ThreadPoolCore::take_over_from_this_thread() {
  if (wanted_.load(std::memory_order_relaxed) != 0) look_for_thread();
}

void ThreadPoolCore::unblock() noexcept {
  const Lock lock(mutex_);
  --blocked_;
  update_wanted();
}

}  // namespace muster::detail
