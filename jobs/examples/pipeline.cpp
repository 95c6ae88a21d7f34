// Pattern 1: every item goes through three stages, each in an executor.
#include <cstdio>
#include <vector>

#include <muster/muster.hpp>

int stage1(int data) { return data * 2; }
int stage2(int data) { return data + 10; }
int stage3(int data) { return data * data; }

int main() {
  muster::ThreadPoolExecutor executor;
  auto pipeline = muster::pipeline<int>()
                      .stage(executor, stage1)
                      .stage(executor, stage2, {.concurrency = 2})
                      .stage(executor, stage3);
  for (int result : pipeline.run(std::vector{1, 2, 3, 4, 5})) std::printf("%d\n", result);
}
