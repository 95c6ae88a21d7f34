// The floor of thread_pool_bench: what single-purpose code can do between one submitter and two
// threads. Nothing here grows, sleeps, cancels or carries errors.

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <sched.h>

#include <muster/base/futex.hpp>

#include "bench_support.hpp"

namespace {

using namespace executor_bench;

struct Slot {
  std::atomic<std::uint32_t> done{0};
};

struct Job {
  void (*function)(Slot* slot);
  Slot* slot;
};

// One producer, one consumer. Each side looks at the other's index only when it seems to have to.
class Ring {
 public:
  void push(Job job) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    while (tail - head_seen_ == capacity) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ == capacity) ::sched_yield();
    }
    jobs_[tail % capacity] = job;
    tail_.store(tail + 1, std::memory_order_release);
  }

  // Runs what there is; false if there was nothing.
  bool run_all() {
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t tail = tail_.load(std::memory_order_acquire);
    if (head == tail) return false;
    for (; head != tail; ++head) {
      const Job job = jobs_[head % capacity];
      job.function(job.slot);
    }
    head_.store(head, std::memory_order_release);
    return true;
  }

 private:
  static constexpr std::uint64_t capacity = 4096;
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t head_seen_ = 0;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::array<Job, capacity> jobs_;
};

class BarePool {
 public:
  BarePool() {
    for (unsigned i = 0; i < threads; ++i) {
      threads_.emplace_back([this, i] {
        while (!stop_.load(std::memory_order_relaxed)) {
          if (!rings_[i].run_all()) ::sched_yield();
        }
      });
    }
  }
  ~BarePool() {
    stop_.store(true, std::memory_order_relaxed);
    for (auto& each : threads_) each.join();
  }
  BarePool(const BarePool&) = delete;
  BarePool& operator=(const BarePool&) = delete;

  void submit(Job job) {
    constexpr std::uint64_t run = 256;  // as many in turn to one thread: it reads whole cache lines
    rings_[submitted_++ / run % threads].push(job);
  }

 private:
  std::array<Ring, threads> rings_;
  std::atomic<bool> stop_{false};
  std::uint64_t submitted_ = 0;
  std::vector<std::thread> threads_;
};

void finish(Slot* slot) { slot->done.store(1, std::memory_order_release); }

void floor_futures(benchmark::State& state) {
  auto pool = std::make_unique<BarePool>();
  std::vector<Slot> slots(task_count);
  time_all_tasks(state, [&] {
    for (Slot& slot : slots) pool->submit({finish, &slot});
    for (Slot& slot : slots) {
      while (slot.done.load(std::memory_order_acquire) == 0) ::sched_yield();
      slot.done.store(0, std::memory_order_relaxed);
    }
  });
}
BENCHMARK(floor_futures)->Name("futures/floor")->Apply(bulk);

void floor_forget(benchmark::State& state) {
  auto pool = std::make_unique<BarePool>();
  time_all_tasks(state, [&] {
    const std::int64_t before = Tally::total();
    for (std::int64_t i = 0; i < task_count; ++i) pool->submit({[](Slot*) { Tally::add(); }, {}});
    Tally::await(before + task_count);
  });
}
BENCHMARK(floor_forget)->Name("forget/floor")->Apply(bulk);

// A word that two threads set in turns.
struct Turns {
  alignas(64) std::atomic<std::uint32_t> word{0};

  // Takes what was set, and leaves nothing.
  std::uint32_t take(bool sleeping) {
    for (unsigned look = 1;; ++look) {
      const std::uint32_t seen = word.load(std::memory_order_acquire);
      if (seen != 0) {
        word.store(0, std::memory_order_relaxed);
        return seen;
      }
      if (sleeping) {
        muster::detail::futex_wait(word, 0);
      } else if (look % looks_per_yield == 0) {
        ::sched_yield();
      } else {
        muster::detail::cpu_relax();
      }
    }
  }
  void set(std::uint32_t value, bool sleeping) {
    word.store(value, std::memory_order_release);
    if (sleeping) muster::detail::futex_wake_one(word);
  }
};

constexpr std::uint32_t asked = 1;
constexpr std::uint32_t over = 2;

// Calls time(round_trip), where a round trip goes to another thread and back.
template <class Time>
void ping_pong(bool sleeping, Time&& time) {
  Turns there;
  Turns back;
  std::thread other([&] {
    while (there.take(sleeping) != over) back.set(asked, sleeping);
  });
  time([&] {
    there.set(asked, sleeping);
    back.take(sleeping);
  });
  there.set(over, sleeping);
  other.join();
}

void floor_back_to_back(benchmark::State& state) {
  ping_pong(false, [&](auto&& trip) { time_back_to_back(state, trip); });
}
BENCHMARK(floor_back_to_back)->Name("back-to-back/floor")->Apply(back_to_back);

void floor_after_nap(benchmark::State& state) {
  ping_pong(true, [&](auto&& trip) { time_after_nap(state, trip); });
}
BENCHMARK(floor_after_nap)->Name("after-nap/floor")->Apply(after_nap);

}  // namespace
