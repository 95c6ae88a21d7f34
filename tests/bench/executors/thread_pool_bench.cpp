// The thread pool against oneTBB, Boost.Asio, std::async and a floor; see run.sh.

#include <future>
#include <utility>
#include <vector>

#include <muster/executors/thread_pool.hpp>

#include "bench_support.hpp"

namespace {

using namespace executor_bench;
using muster::Future;
using muster::ThreadPoolExecutor;

void muster_futures(benchmark::State& state) {
  ThreadPoolExecutor pool({.max_workers = threads});
  std::vector<Future<void>> futures;
  futures.reserve(task_count);
  time_all_tasks(state, [&] {
    for (std::int64_t i = 0; i < task_count; ++i) futures.push_back(pool.submit([] {}));
    for (const auto& each : futures) each.result();
    futures.clear();
  });
}
BENCHMARK(muster_futures)->Name("futures/muster")->Apply(bulk);

void muster_forget(benchmark::State& state) {
  ThreadPoolExecutor pool({.max_workers = threads});
  time_all_tasks(state, [&] {
    const std::int64_t before = Tally::total();
    for (std::int64_t i = 0; i < task_count; ++i) pool.submit(Tally::add);
    Tally::await(before + task_count);
  });
}
BENCHMARK(muster_forget)->Name("forget/muster")->Apply(bulk);

int fib(ThreadPoolExecutor& pool, int n) {
  if (n < 2) return n;
  const Future<int> child = pool.submit([&pool, n] { return fib(pool, n - 1); });
  const int other = fib(pool, n - 2);
  return child.result() + other;
}

void muster_fib(benchmark::State& state) {
  ThreadPoolExecutor pool({.max_workers = threads});
  Samples samples;
  for (auto _ : state) {
    const auto begin = Samples::Clock::now();
    const Future<int> whole = pool.submit([&pool] { return fib(pool, fib_argument); });
    if (whole.result() != fib_value) state.SkipWithError("wrong sum");
    samples.add(Samples::Clock::now() - begin);
  }
  samples.report(state);
}
BENCHMARK(muster_fib)->Name("fib/muster")->Apply(recursive);

void muster_back_to_back(benchmark::State& state) {
  ThreadPoolExecutor pool({.max_workers = threads});
  time_back_to_back(state, [&] { pool.submit([] {}).result(); });
}
BENCHMARK(muster_back_to_back)->Name("back-to-back/muster")->Apply(back_to_back);

void muster_after_nap(benchmark::State& state) {
  ThreadPoolExecutor pool({.max_workers = threads});
  time_after_nap(state, [&] { pool.submit([] {}).result(); });
}
BENCHMARK(muster_after_nap)->Name("after-nap/muster")->Apply(after_nap);

// A thread a task: fewer of them, a million would take half a minute.
void async_futures(benchmark::State& state) {
  constexpr std::int64_t tasks = 5'000;
  for (auto _ : state) {
    std::vector<std::future<void>> futures;
    for (std::int64_t i = 0; i < tasks; ++i) {
      futures.push_back(std::async(std::launch::async, [] {}));
    }
    for (auto& each : futures) each.get();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * tasks);
}
BENCHMARK(async_futures)->Name("futures/std::async")->Apply(bulk);

void async_after_nap(benchmark::State& state) {
  time_after_nap(state, [] { std::async(std::launch::async, [] {}).get(); });
}
BENCHMARK(async_after_nap)->Name("after-nap/std::async")->Apply(after_nap);

}  // namespace

BENCHMARK_MAIN();
