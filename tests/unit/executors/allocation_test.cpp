// How often tasks ask for memory. This program's operator new counts.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include <muster/executors/init.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/executors/thread_pool.hpp>

namespace {

std::atomic<long> allocations{0};

void* counted(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace muster {
namespace {

constexpr int tasks = 10'000;

int twice(int x) { return 2 * x; }

// Of `tasks` tasks which are queued before the first result is fetched, in a pool that has run as
// many before.
long allocations_of(Executor& pool) {
  std::vector<Future<int>> futures(tasks);
  long before = 0;
  for (int round = 0; round < 3; ++round) {
    before = allocations;
    for (int i = 0; i < tasks; ++i) futures[static_cast<std::size_t>(i)] = pool.submit(twice, i);
    for (int i = 0; i < tasks; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), 2 * i);
  }
  return allocations - before;
}

TEST(Allocations, OfTasksInThreadsAreRecycled) {
  ThreadPoolExecutor pool({.max_workers = 2});
  EXPECT_LE(allocations_of(pool), tasks / 100);
}

TEST(Allocations, OfTasksInProcessesAreRecycled) {
  ProcessPoolExecutor pool({.max_workers = 2});
  EXPECT_LE(allocations_of(pool), tasks / 10);
}

TEST(Allocations, OfTheFirstTasksAreOneEachAtMost) {
  ThreadPoolExecutor pool({.max_workers = 2});
  std::vector<Future<int>> futures(tasks);
  const auto work = [](std::array<char, 300> data) { return static_cast<int>(data[0]); };
  const long before = allocations;
  for (auto& each : futures) each = pool.submit(work, std::array<char, 300>{});
  for (const auto& each : futures) each.wait();
  EXPECT_LE(allocations - before, tasks + tasks / 100)
      << "the rest: threads and blocks of the queue";
}

}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
  muster::init();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
