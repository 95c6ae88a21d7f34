// Tasks in processes of their own: a crash there would cost one task, not the program.
#include <cstdint>
#include <cstdio>
#include <vector>

#include <muster/muster.hpp>

std::uint64_t cpu_intensive(std::uint64_t n) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += i * i;
  return sum;
}

int main() {
  muster::init();  // first, while the program has one thread
  muster::ProcessPoolExecutor executor({.max_workers = 4});
  std::vector<std::uint64_t> inputs = {1'000'000, 1'000'000, 1'000'000};
  for (std::uint64_t result : executor.map(cpu_intensive, inputs)) {
    std::printf("%llu\n", static_cast<unsigned long long>(result));
  }
}
