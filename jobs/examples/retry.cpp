// Pattern 4: a task that throws is run again, with a longer delay each time.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

#include <muster/muster.hpp>
#include <muster/patterns/retrying.hpp>

using namespace std::chrono_literals;

std::string unreliable_task(std::atomic<int>& attempts) {
  const int attempt = ++attempts;
  if (attempt < 3) {
    std::printf("Attempt %d failed, retrying...\n", attempt);
    throw std::runtime_error("Task failed");
  }
  return "Success";
}

int main() {
  std::atomic<int> attempts = 0;
  muster::ThreadPoolExecutor threads;
  muster::RetryingExecutor executor(
      threads, {.attempts_max = 3, .delay = 10ms, .backoff = 2.0, .jitter = 0.1});
  auto future = executor.submit(unreliable_task, std::ref(attempts));
  std::printf("%s\n", future.result().c_str());  // the third failure would be thrown here
}
