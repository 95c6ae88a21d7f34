// oneTBB's part of thread_pool_bench. Its two ways to hand over tasks are both there: enqueue()
// to an arena of two workers, and a task_group whose owner works too when it waits.

#include <future>
#include <utility>
#include <vector>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "bench_support.hpp"

namespace {

using namespace executor_bench;
namespace tbb = oneapi::tbb;

// By default there is a worker fewer than CPUs, as the main thread is expected to work too.
const tbb::global_control two_workers(tbb::global_control::max_allowed_parallelism, threads + 1);

constexpr unsigned none_reserved = 0;

// TBB calls its functions as const ones.
struct SetPromise {
  mutable std::promise<void> promise;
  void operator()() const { promise.set_value(); }
};

// `hand_over` takes a SetPromise, `finish` what is to be done before the futures are read.
template <class HandOver, class Finish>
void with_futures(benchmark::State& state, HandOver&& hand_over, Finish&& finish) {
  std::vector<std::future<void>> futures;
  futures.reserve(task_count);
  time_all_tasks(state, [&] {
    for (std::int64_t i = 0; i < task_count; ++i) {
      SetPromise task;
      futures.push_back(task.promise.get_future());
      hand_over(std::move(task));
    }
    finish();
    for (auto& each : futures) each.get();
    futures.clear();
  });
}

void arena_futures(benchmark::State& state) {
  tbb::task_arena arena(threads, none_reserved);
  with_futures(
      state, [&](SetPromise task) { arena.enqueue(std::move(task)); }, [] {});
}
BENCHMARK(arena_futures)->Name("futures/TBB arena")->Apply(bulk);

void group_futures(benchmark::State& state) {
  tbb::task_arena arena(threads);
  arena.execute([&] {
    tbb::task_group group;
    with_futures(
        state, [&](SetPromise task) { group.run(std::move(task)); }, [&] { group.wait(); });
  });
}
BENCHMARK(group_futures)->Name("futures/TBB group")->Apply(bulk);

void arena_forget(benchmark::State& state) {
  tbb::task_arena arena(threads, none_reserved);
  time_all_tasks(state, [&] {
    const std::int64_t before = Tally::total();
    for (std::int64_t i = 0; i < task_count; ++i) arena.enqueue([] { Tally::add(); });
    Tally::await(before + task_count);
  });
}
BENCHMARK(arena_forget)->Name("forget/TBB arena")->Apply(bulk);

void group_forget(benchmark::State& state) {
  tbb::task_arena arena(threads);
  time_all_tasks(state, [&] {
    arena.execute([] {
      tbb::task_group group;
      for (std::int64_t i = 0; i < task_count; ++i) group.run([] { Tally::add(); });
      group.wait();
    });
  });
}
BENCHMARK(group_forget)->Name("forget/TBB group")->Apply(bulk);

int fib(int n) {
  if (n < 2) return n;
  int one = 0;
  tbb::task_group group;
  group.run([&one, n] { one = fib(n - 1); });
  const int other = fib(n - 2);
  group.wait();
  return one + other;
}

void group_fib(benchmark::State& state) {
  tbb::task_arena arena(threads);
  Samples samples;
  for (auto _ : state) {
    const auto begin = Samples::Clock::now();
    const int sum = arena.execute([] { return fib(fib_argument); });
    samples.add(Samples::Clock::now() - begin);
    if (sum != fib_value) state.SkipWithError("wrong sum");
  }
  samples.report(state);
}
BENCHMARK(group_fib)->Name("fib/TBB group")->Apply(recursive);

void round_trip(tbb::task_arena& arena) {
  SetPromise task;
  std::future<void> future = task.promise.get_future();
  arena.enqueue(std::move(task));
  future.get();
}

void arena_back_to_back(benchmark::State& state) {
  tbb::task_arena arena(threads, none_reserved);
  time_back_to_back(state, [&] { round_trip(arena); });
}
BENCHMARK(arena_back_to_back)->Name("back-to-back/TBB arena")->Apply(back_to_back);

void arena_after_nap(benchmark::State& state) {
  tbb::task_arena arena(threads, none_reserved);
  time_after_nap(state, [&] { round_trip(arena); });
}
BENCHMARK(arena_after_nap)->Name("after-nap/TBB arena")->Apply(after_nap);

}  // namespace
