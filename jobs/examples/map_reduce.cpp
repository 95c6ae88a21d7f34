// Pattern 2: map in processes, reduce here, in the order of the inputs.
#include <cstdio>
#include <numeric>
#include <vector>

#include <muster/muster.hpp>

std::vector<int> map_task(std::vector<int> data) {
  for (int& x : data) x *= 2;
  return data;
}

int reduce_task(int acc, const std::vector<int>& data) {
  return std::accumulate(data.begin(), data.end(), acc);
}

int main() {
  muster::init();
  std::vector<std::vector<int>> chunks = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
  muster::ProcessPoolExecutor executor;
  std::printf("%d\n", muster::map_reduce(executor, chunks, map_task, reduce_task, 0));
}
