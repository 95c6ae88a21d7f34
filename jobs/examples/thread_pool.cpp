// Tasks in threads: submit, then fetch the results in the order of submission.
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include <muster/muster.hpp>

using namespace std::chrono_literals;

int task(int n) {
  std::printf("Task %d starting\n", n);
  std::this_thread::sleep_for(20ms);  // stands for input and output
  return n * 2;
}

int main() {
  muster::ThreadPoolExecutor executor({.max_workers = 3});
  std::vector<muster::Future<int>> futures;
  for (int i = 0; i < 5; ++i) futures.push_back(executor.submit(task, i));

  for (auto& future : futures) {
    int result = future.result();  // waits until it is there
    std::printf("Result: %d\n", result);
  }
}
