// What a future can be asked: state, callback, result with a time limit, exception.
#include <chrono>
#include <cstdio>
#include <exception>
#include <latch>
#include <stdexcept>

#include <muster/muster.hpp>

using namespace std::chrono_literals;

int task(int n, std::latch& asked) {
  std::printf("Task %d starting\n", n);
  asked.wait();  // so that main always sees the task unfinished
  return n * 2;
}

int main() {
  muster::ThreadPoolExecutor executor;
  std::latch asked(1);
  muster::Future<int> future = executor.submit(task, 5, std::ref(asked));

  std::printf("%s\n", future.done() ? "True" : "False");
  future.add_done_callback(
      [](const muster::Future<int>& done) { std::printf("Completed: %d\n", done.result()); });
  asked.count_down();

  int result = future.result(5s);  // muster::TimeoutError if it takes longer
  std::printf("%d\n", result);

  muster::Future<int> failing = executor.submit([]() -> int { throw std::runtime_error("no"); });
  try {
    failing.result();
  } catch (const std::exception& error) {
    std::printf("Task failed: %s\n", error.what());
  }
}
