// Pattern 5: as_completed() that says how far it is.
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>
#include <vector>

#include <muster/muster.hpp>

using namespace std::chrono_literals;

int task(int n) {
  std::printf("Task %d starting\n", n);
  std::this_thread::sleep_for(20ms);
  return n * 2;
}

void print_progress(const muster::Progress& now) {
  if (now.done == 0 || now.ended) return;  // the report before the first one, and that of the end
  std::printf("Progress: %.1f%% (%zu/%zu)\n", 100 * now.fraction, now.done, now.total);
}

int main() {
  muster::ThreadPoolExecutor executor;
  std::vector<muster::Future<int>> futures;
  for (int i = 0; i < 10; ++i) futures.push_back(executor.submit(task, i));

  std::vector<int> results;
  for (auto& future : muster::track(futures, print_progress, {.interval = 0s})) {
    results.push_back(future.result());
  }

  // Or the bar that comes with it, on stderr.
  muster::ProgressBar bar({.label = "again"});
  for (auto& future : muster::track(futures, std::ref(bar))) results.push_back(future.result());
  return results.size() == 20 ? 0 : 1;
}
