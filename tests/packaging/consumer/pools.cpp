#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <muster/muster.hpp>

namespace {

std::map<std::string, int> count(const std::vector<std::string>& words) {
  std::map<std::string, int> out;
  for (const auto& each : words) ++out[each];
  return out;
}

int twice(int x) { return 2 * x; }

}  // namespace

// What a user of both pools compiles and links: values sent with cereal, patterns, futures.
int main() {
  try {
    muster::init();
    muster::ProcessPoolExecutor processes({.max_workers = 2});
    muster::ThreadPoolExecutor threads({.max_workers = 2});

    auto counts = processes.submit(count, std::vector<std::string>{"b", "a", "b"});
    for (const auto& [word, times] : counts.result()) {
      std::printf("%s\t%d\n", word.c_str(), times);
    }
    const std::vector<int> inputs = {1, 2, 3};
    const auto add = [](int a, int b) { return a + b; };
    const int sum = muster::map_reduce(processes, inputs, twice, add, 0);
    std::printf("sum\t%d\n", sum);
    auto pipeline = muster::pipeline<int>().stage(threads, twice).stage(processes, twice);
    for (const int x : pipeline.run(inputs)) std::printf("x4\t%d\n", x);
    return 0;
  } catch (const muster::Error& error) {
    std::fprintf(stderr, "pools: %s\n", error.what());
    return 1;
  }
}
