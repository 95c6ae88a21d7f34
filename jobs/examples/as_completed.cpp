// Results in the order in which they come, each with the argument it belongs to.
#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>
#include <unordered_map>
#include <vector>

#include <muster/muster.hpp>

using namespace std::chrono_literals;

int task(int n) {
  std::printf("Task %d starting\n", n);
  std::this_thread::sleep_for(20ms);
  return n * 2;
}

int main() {
  muster::ThreadPoolExecutor executor;
  std::vector<muster::Future<int>> futures;
  std::unordered_map<muster::Future<int>, int> argument_of;
  for (int i = 0; i < 5; ++i) {
    futures.push_back(executor.submit(task, i));
    argument_of.emplace(futures.back(), i);
  }

  for (auto& future : muster::as_completed(futures)) {
    int original_arg = argument_of.at(future);
    try {
      std::printf("Task %d: %d\n", original_arg, future.result());
    } catch (const std::exception& error) {
      std::printf("Task %d failed: %s\n", original_arg, error.what());
    }
  }
}
