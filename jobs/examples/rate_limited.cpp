// Pattern 3: at most so many tasks start in a second, whatever runs them.
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include <muster/muster.hpp>
#include <muster/patterns/rate_limited.hpp>

using namespace std::chrono_literals;

int task(int n) {
  std::printf("Task %d starting\n", n);
  std::this_thread::sleep_for(20ms);
  return n * 2;
}

int main() {
  muster::ThreadPoolExecutor threads({.max_workers = 10});
  muster::RateLimitedExecutor executor(threads, {.per_second = 5, .burst = 5});
  std::vector<muster::Future<int>> futures;
  for (int i = 0; i < 20; ++i) futures.push_back(executor.submit(task, i));

  int sum = 0;
  for (auto& future : futures) sum += future.result();
  return sum == 380 ? 0 : 1;
}
