// Waiting for many futures at once.
#include <chrono>
#include <cstdio>
#include <thread>
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
  for (int i = 0; i < 5; ++i) futures.push_back(executor.submit(task, i));

  using muster::ReturnWhen;
  auto first = muster::wait(futures, {.return_when = ReturnWhen::first_completed});
  bool some = !first.done.empty();  // at least one, and the others are in first.not_done

  auto [done, not_done] = muster::wait(futures);  // ReturnWhen::all_completed
  for (auto& future : done) std::printf("%d\n", future.result());
  return some && not_done.empty() ? 0 : 1;
}
