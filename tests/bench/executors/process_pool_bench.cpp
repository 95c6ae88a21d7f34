// The process pool, and floors for it; see run.sh and peers.py.

#include <atomic>
#include <cstdint>
#include <fstream>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <muster/base/futex.hpp>
#include <muster/executors/init.hpp>
#include <muster/executors/process_pool.hpp>

#include "bench_support.hpp"

namespace {

using namespace executor_bench;
using muster::Future;
using muster::ProcessPoolExecutor;

int square(int x) { return x * x; }

template <class Payload>
Payload echo(Payload payload) {
  return payload;
}
template <class Payload>
Payload echo_of_reference(const Payload& payload) {
  return payload;
}

constexpr std::int64_t calls = 100'000;
constexpr std::size_t payload_bytes = std::size_t{1} << 20U;
constexpr std::int64_t backlog = 1'000'000;
constexpr std::int64_t endurance_calls = 10'000'000;

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  statm >> pages >> pages;  // the second number
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void submit_all(ProcessPoolExecutor& pool, std::int64_t count) {
  std::vector<Future<int>> futures;
  futures.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    futures.push_back(pool.submit(square, static_cast<int>(i % 1000)));
  }
  for (const auto& each : futures) each.result();
}

void muster_submits(benchmark::State& state) {
  ProcessPoolExecutor pool({.max_workers = threads});
  submit_all(pool, calls);
  for (auto _ : state) submit_all(pool, calls);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * calls);
}
BENCHMARK(muster_submits)->Name("submits/muster")->Apply(bulk);

void muster_back_to_back(benchmark::State& state) {
  ProcessPoolExecutor pool({.max_workers = threads});
  time_back_to_back(state, [&] { pool.submit(square, 7).result(); });
}
BENCHMARK(muster_back_to_back)->Name("call-spinning/muster")->Apply(back_to_back);

void muster_after_nap(benchmark::State& state) {
  ProcessPoolExecutor pool({.max_workers = threads});
  time_after_nap(state, [&] { pool.submit(square, 7).result(); });
}
BENCHMARK(muster_after_nap)->Name("call-asleep/muster")->Apply(after_nap);

// Both ways count: a payload goes in and comes out.
template <class Call>
void time_payload(benchmark::State& state, Call&& call) {
  call();
  Samples samples;
  for (auto _ : state) {
    const auto begin = Samples::Clock::now();
    if (call() != payload_bytes) state.SkipWithError("cut short");
    samples.add(Samples::Clock::now() - begin);
  }
  samples.report(state);
}

// What comes back is destroyed within the time, as in the peers.
template <class Payload>
void muster_payload(benchmark::State& state) {
  ProcessPoolExecutor pool({.max_workers = threads});
  const Payload sent(payload_bytes, 'x');
  time_payload(state, [&] { return pool.submit(echo<Payload>, sent).take().size(); });
}
BENCHMARK(muster_payload<std::string>)->Name("mebibyte-string/muster")->Apply(payload);
BENCHMARK(muster_payload<std::vector<char>>)->Name("mebibyte-vector/muster")->Apply(payload);

void muster_reference(benchmark::State& state) {
  ProcessPoolExecutor pool({.max_workers = threads});
  const std::string sent(payload_bytes, 'x');
  time_payload(state, [&] {
    return pool.submit(echo_of_reference<std::string>, std::cref(sent)).take().size();
  });
}
BENCHMARK(muster_reference)->Name("mebibyte-cref/muster")->Apply(payload);

void muster_first_result(benchmark::State& state) {
  Samples samples;
  for (auto _ : state) {
    const auto begin = Samples::Clock::now();
    ProcessPoolExecutor pool({.max_workers = threads});
    pool.submit(square, 7).result();
    const auto time = Samples::Clock::now() - begin;
    samples.add(time);
    state.SetIterationTime(std::chrono::duration<double>(time).count());
  }
  samples.report(state);
}
BENCHMARK(muster_first_result)->Name("first-result/muster")->Apply(first_result);

// Opened once the backlog is there; shared with the task processes.
std::atomic<std::uint32_t>* gate = nullptr;

int hold(int value) {
  while (gate->load(std::memory_order_acquire) == 0) {
    // bounded poll: until the backlog is there, or the pool kills this process
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return value;
}

void muster_backlog(benchmark::State& state) {
  for (auto _ : state) {
    ProcessPoolExecutor pool({.max_workers = threads});
    gate->store(0, std::memory_order_release);
    std::vector<Future<int>> futures;
    futures.reserve(backlog);
    for (unsigned i = 0; i < threads; ++i) futures.push_back(pool.submit(hold, 1));
    const std::size_t before = resident_bytes();
    for (std::int64_t i = 0; i < backlog; ++i) futures.push_back(pool.submit(square, 7));
    const std::size_t after = resident_bytes();
    state.counters["bytes_per_task"] = static_cast<double>(after - before) / backlog;
    gate->store(1, std::memory_order_release);
    for (const auto& each : futures) each.result();
  }
}
BENCHMARK(muster_backlog)->Name("backlog-memory/muster")->Apply(once);

void muster_endurance(benchmark::State& state) {
  constexpr std::int64_t window = 10'000;
  for (auto _ : state) {
    ProcessPoolExecutor pool({.max_workers = threads});
    std::size_t early = 0;
    for (std::int64_t done = 0; done < endurance_calls; done += window) {
      submit_all(pool, window);
      if (done == endurance_calls / 10) early = resident_bytes();
    }
    const auto grown = static_cast<double>(resident_bytes()) - static_cast<double>(early);
    state.counters["grown_bytes"] = grown;
  }
}
BENCHMARK(muster_endurance)->Name("endurance-memory/muster")->Apply(once);

}  // namespace

int main(int argc, char** argv) {
  void* const shared =
      ::mmap(nullptr, sizeof *gate, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 1;
  gate = ::new (shared) std::atomic<std::uint32_t>(0);
  muster::init();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
