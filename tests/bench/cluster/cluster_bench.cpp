// What calls on a cluster cost: cluster-bench ADDRESS COORDINATOR-PID. Prints "name value" lines.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

namespace {

using muster::Clock;
using muster::Future;

int next_of(int x) { return x + 1; }

double seconds_since(muster::TimePoint start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// User and system time that a process has used, in seconds.
double cpu_seconds(const std::string& pid) {
  std::ifstream stat("/proc/" + pid + "/stat");
  std::string word;
  double ticks = 0;
  constexpr int user = 14;
  constexpr int system = 15;
  for (int field = 1; stat >> word && field <= system; ++field) {
    if (field == user || field == system) ticks += std::strtod(word.c_str(), nullptr);
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double many(muster::ClusterExecutor& cluster, int count) {
  const auto start = Clock::now();
  std::vector<Future<int>> futures;
  futures.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) futures.push_back(cluster.submit(next_of, i));
  std::int64_t sum = 0;
  for (const auto& each : futures) sum += each.result();
  if (sum != std::int64_t{count} * (count + 1) / 2) std::abort();
  return count / seconds_since(start);
}

double one_at_a_time(muster::ClusterExecutor& cluster, int count) {
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i) {
    if (cluster.submit(next_of, i).result() != i + 1) std::abort();
  }
  return seconds_since(start) / count * 1e6;
}

double megabytes(muster::ClusterExecutor& cluster, int count) {
  const std::string text(std::size_t{1} << 20U, 'x');
  const auto start = Clock::now();
  std::vector<Future<std::string>> futures;
  for (int i = 0; i < count; ++i)
    futures.push_back(cluster.submit([](const std::string& t) { return t; }, text));
  for (const auto& each : futures) {
    if (each.result().size() != text.size()) std::abort();
  }
  return 2.0 * count * static_cast<double>(text.size()) / seconds_since(start) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  muster::init();
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s ADDRESS COORDINATOR-PID\n", argv[0]);
    return 2;
  }
  constexpr int calls = 200'000;
  constexpr int single_calls = 2'000;
  const auto start = Clock::now();
  muster::ClusterExecutor cluster(argv[1]);
  cluster.submit(next_of, 1).result();
  std::printf("first_result_ms %.1f\n", seconds_since(start) * 1e3);
  many(cluster, calls / 10);  // processes are there, memory is warm
  const double cpu_before = cpu_seconds(argv[2]);
  std::printf("calls_per_s %.0f\n", many(cluster, calls));
  std::printf("coordinator_us_per_call %.2f\n", (cpu_seconds(argv[2]) - cpu_before) / calls * 1e6);
  std::printf("one_at_a_time_us %.1f\n", one_at_a_time(cluster, single_calls));
  std::printf("megabytes_gb_per_s %.2f\n", megabytes(cluster, 200));
}
