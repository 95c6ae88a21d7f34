// The tour of README.md, with what it takes for granted.
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include <muster/muster.hpp>

using namespace std::chrono_literals;

int square(int x) { return x * x; }

int main() {
  const std::vector<int> inputs = {1, 2, 3};
  int sum = 0;
  const auto use = [&](int x) { sum += x; };

  muster::init();  // before the first thread: process pools are forked from here
  muster::ThreadPoolExecutor threads({.max_workers = 4});
  muster::ProcessPoolExecutor processes({.max_workers = 2});

  muster::Future<int> one = threads.submit(square, 7);
  int value = one.result(1min);                        // or TimeoutError
  auto next = one.then([](int n) { return n + 1; });   // or co_await one
  for (int x : processes.map(square, inputs)) use(x);  // in the order of the inputs
  std::vector futures = {processes.submit(square, 4), threads.submit(square, 5)};
  for (auto& done : muster::as_completed(futures, 1min)) use(done.result());  // as they complete

  int squares = muster::map_reduce(processes, inputs, square, std::plus<>(), 0);
  auto twice = muster::pipeline<int>().stage(threads, square).stage(processes, square);
  for (int x : twice.run(inputs)) use(x);
  muster::ProgressBar bar({.label = "squares"});
  for (auto& done : muster::track(futures, std::ref(bar))) use(done.result());

  std::printf("%d %d %d %d\n", value, next.result(), squares, sum);
}
