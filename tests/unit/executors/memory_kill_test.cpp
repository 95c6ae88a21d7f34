// Processes that the kernel itself kills because their control group has no memory left.
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <muster/executors/process_pool.hpp>

#include "support.hpp"
#include "support/memory_group.hpp"
#include "support/process_pools.hpp"

namespace muster::test {
namespace {

constexpr std::size_t group_bytes = std::size_t{400} << 20U;  // a sanitizer's own memory is in it

/// Counts itself, then takes memory until it is killed; from run number `last` on it takes none.
Bytes devour(TaskContext&, std::string_view last) {
  if (++shared().runs >= std::stoul(std::string(last))) return "enough";
  // It and no other process of the group: a sanitizer's parent is larger.
  std::ofstream("/proc/self/oom_score_adj") << 1000 << std::flush;
  constexpr std::size_t piece = std::size_t{16} << 20U;
  for (std::size_t taken = 0; taken < 4 * group_bytes; taken += piece) {
    void* memory = ::mmap(nullptr, piece, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return "refused";
  }
  return "not killed";
}

Bytes kill_itself(TaskContext&, std::string_view) {
  ++shared().runs;
  ::raise(SIGKILL);
  return {};
}

std::vector<Future<Bytes>> submit_counted(ProcessPoolExecutor& pool, int first) {
  std::vector<Future<Bytes>> out;
  for (int i = first; i < first + 10; ++i) {
    out.push_back(pool.submit_raw(&count, std::to_string(i)));
  }
  return out;
}

void be_killed_for_memory() {
  ProcessPoolExecutor pool(quiet(2, 4));
  TaskOptions twice_more;
  twice_more.retries = {.worker_lost = 0, .out_of_memory = 2};

  const std::vector<Future<Bytes>> before = submit_counted(pool, 0);
  const WorkerDeath death = death_of(pool.submit_raw(&devour, "1000", twice_more));
  const std::vector<Future<Bytes>> after = submit_counted(pool, 10);
  EXPECT_TRUE(death.out_of_memory);
  EXPECT_EQ(death.signal, SIGKILL);
  EXPECT_EQ(death.deaths, 3U);

  for (const auto* futures : {&before, &after}) {
    for (const auto& each : *futures) each.result(std::chrono::seconds(60));
  }
  for (unsigned i = 0; i < 20; ++i) EXPECT_EQ(shared().runs_by_number[i], 1U) << i;
  EXPECT_EQ(shared().runs, 20U + 3U);

  reset_shared();
  EXPECT_EQ(pool.submit_raw(&devour, "3", twice_more).result(std::chrono::seconds(60)), "enough");

  reset_shared();
  const WorkerDeath other = death_of(pool.submit_raw(&kill_itself, {}, twice_more));
  EXPECT_FALSE(other.out_of_memory) << "not every SIGKILL is for want of memory";
  EXPECT_EQ(shared().runs, 1U) << "and that budget is another";
}

class MemoryKillTest : public PoolTest {};

TEST_F(MemoryKillTest, ByTheKernelIsToldApartAndHasItsOwnBudget) {
  const MemoryGroup group(group_bytes);
  if (!group.joined()) {
    GTEST_SKIP() << "needs root, or a control group of one's own, to limit its memory";
  }
  const RoleResult result = run_role("killed_for_memory");  // which is in the group, too
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_EQ(group.kills(), 3U + 2U) << "it was the kernel, each time";
}

}  // namespace

int killed_for_memory() {
  init();
  be_killed_for_memory();
  return testing::Test::HasFailure() ? 1 : 0;
}

}  // namespace muster::test
