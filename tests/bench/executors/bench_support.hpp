#pragma once

// What the executor benchmarks share. Every contender does the same work in the same sizes; its
// benchmark is named WORK/CONTENDER, and measure.py puts the contenders of a work side by side.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

namespace executor_bench {

inline constexpr std::int64_t task_count = 1'000'000;
inline constexpr int fib_argument = 25;
inline constexpr int fib_value = 75'025;
inline constexpr unsigned threads = 2;

// Floors that spin let others run now and then, as the machine may be busy.
inline constexpr unsigned looks_per_yield = 4096;

// How long a pool is left alone before a call that is to find its threads asleep.
inline constexpr auto nap = std::chrono::milliseconds(3);

/// Counts ended tasks at the cost of one plain store: every thread has a cell of its own.
class Tally {
  struct alignas(64) Cell {
    std::atomic<std::int64_t> count;
  };

 public:
  static void add() {
    std::atomic<std::int64_t>& cell = cell_of_this_thread();
    cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  static std::int64_t total() {
    std::int64_t sum = 0;
    for (const Cell& cell : cells) sum += cell.count.load(std::memory_order_acquire);
    return sum;
  }

  /// Sleeps between looks, so that the workers have both processors.
  static void await(std::int64_t wanted) {
    // bounded poll: it ends when the tasks have, and run.sh bounds the program's time
    while (total() < wanted) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }

 private:
  static std::atomic<std::int64_t>& cell_of_this_thread() {
    thread_local Cell& mine = cells.at(used.fetch_add(1));
    return mine.count;
  }

  static inline std::array<Cell, 256> cells;  // as many threads as ever count in one program
  static inline std::atomic<std::size_t> used{0};
};

/// The median of a benchmark's samples, which a busy machine disturbs less than the mean.
class Samples {
 public:
  using Clock = std::chrono::steady_clock;

  void add(Clock::duration time, std::int64_t calls = 1) {
    nanoseconds_.push_back(static_cast<double>(time.count()) / static_cast<double>(calls));
  }

  void report(benchmark::State& state) {
    if (nanoseconds_.empty()) return;
    const auto middle = nanoseconds_.begin() + static_cast<std::ptrdiff_t>(nanoseconds_.size() / 2);
    std::nth_element(nanoseconds_.begin(), middle, nanoseconds_.end());
    state.counters["median_ns"] = *middle;
  }

 private:
  std::vector<double> nanoseconds_;
};

/// Times `call` in batches, one batch an iteration.
template <class Call>
void time_back_to_back(benchmark::State& state, Call&& call) {
  constexpr std::int64_t batch = 100;
  Samples samples;
  for (auto _ : state) {
    const auto begin = Samples::Clock::now();
    for (std::int64_t i = 0; i < batch; ++i) call();
    samples.add(Samples::Clock::now() - begin, batch);
  }
  samples.report(state);
}

/// Times `call` alone, each time after a nap.
template <class Call>
void time_after_nap(benchmark::State& state, Call&& call) {
  Samples samples;
  for (auto _ : state) {
    std::this_thread::sleep_for(nap);  // bounded poll: no wait for anything, but what is measured
    const auto begin = Samples::Clock::now();
    call();
    const auto time = Samples::Clock::now() - begin;
    samples.add(time);
    state.SetIterationTime(std::chrono::duration<double>(time).count());
  }
  samples.report(state);
}

/// Runs `all`, which does task_count tasks, once to warm up and then once an iteration.
template <class All>
void time_all_tasks(benchmark::State& state, All&& all) {
  all();
  for (auto _ : state) all();
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * task_count);
}

// How often each kind of benchmark repeats itself within one run.
inline void bulk(benchmark::internal::Benchmark* each) {
  each->Iterations(3)->UseRealTime()->Unit(benchmark::kMillisecond);
}
inline void recursive(benchmark::internal::Benchmark* each) {
  each->Iterations(20)->UseRealTime()->Unit(benchmark::kMillisecond);
}
inline void back_to_back(benchmark::internal::Benchmark* each) {
  each->Iterations(200)->UseRealTime()->Unit(benchmark::kMicrosecond);
}
inline void after_nap(benchmark::internal::Benchmark* each) {
  each->Iterations(100)->UseManualTime()->Unit(benchmark::kMicrosecond);
}
inline void payload(benchmark::internal::Benchmark* each) {
  each->Iterations(200)->UseRealTime()->Unit(benchmark::kMicrosecond);
}
inline void first_result(benchmark::internal::Benchmark* each) {
  each->Iterations(30)->UseManualTime()->Unit(benchmark::kMicrosecond);
}
inline void once(benchmark::internal::Benchmark* each) {
  each->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
}

}  // namespace executor_bench
