// map_reduce and Pipeline whose tasks run in processes, and die there.
#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/muster.hpp>

#include "support/process_pools.hpp"
#include "support/shared_memory.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::quiet;
using test::shared;

int square(int n) { return n * n; }
int crash_on_five(int n) {
  if (n == 5) ::raise(SIGSEGV);
  return n * n;
}
int wait_on_five(int n) {
  if (n == 5) test::stay_at_gate();
  return n;
}
std::string in_words(int n) { return std::to_string(n) + " in words"; }

std::vector<int> up_to(int end) {
  std::vector<int> out;
  for (int i = 1; i <= end; ++i) out.push_back(i);
  return out;
}

class OverProcesses : public ::testing::Test {
 protected:
  void SetUp() override { test::reset_shared(); }

  ProcessPoolExecutor pool{quiet(2)};
};

TEST_F(OverProcesses, MapReduceFoldsInOrderAndInTheTasks) {
  const auto inputs = up_to(1000);
  EXPECT_EQ(map_reduce(pool, inputs, square, std::plus<>(), 0), 333833500);
  EXPECT_EQ(map_reduce(pool, inputs, square, associative(std::plus<>()), 0), 333833500);
}

TEST_F(OverProcesses, ACrashEndsAMapReduceAndNotThePool) {
  EXPECT_THROW(map_reduce(pool, up_to(20), crash_on_five, std::plus<>(), 0), WorkerDiedError);
  EXPECT_EQ(map_reduce(pool, up_to(3), square, std::plus<>(), 0), 14);
}

TEST_F(OverProcesses, APipelineGoesThroughProcessesAndThreads) {
  ThreadPoolExecutor threads({.max_workers = 2});
  const auto stages = pipeline<int>().stage(pool, square).stage(threads, in_words);
  std::vector<std::string> results;
  for (auto& each : stages.run(up_to(3))) results.push_back(each);
  EXPECT_EQ(results, (std::vector<std::string>{"1 in words", "4 in words", "9 in words"}));
}

TEST_F(OverProcesses, AnItemThatKillsItsProcessIsADeadLetter) {
  const auto stages = pipeline<int>().stage(pool, crash_on_five).stage(pool, in_words);
  PipelineRunOptions options;
  int died = 0;
  options.dead_letter = [&](const DeadLetter& letter) {
    try {
      std::rethrow_exception(letter.error);
    } catch (const WorkerDiedError& error) {
      EXPECT_EQ(error.death().signal, SIGSEGV);
      EXPECT_EQ(letter.position, 4U);
      ++died;
    }
  };
  std::size_t results = 0;
  for (const auto& each : stages.run(up_to(20), options)) results += each.empty() ? 0U : 1U;
  EXPECT_EQ(results, 19U);
  EXPECT_EQ(died, 1);
}

// It waits for what runs, and kills nothing.
TEST_F(OverProcesses, ADroppedRunLetsWhatRunsEnd) {
  const auto stages = pipeline<int>().stage(pool, wait_on_five);
  {
    auto results = stages.run(std::vector{1, 5, 6, 7, 8, 9});
    auto at = results.begin();
    EXPECT_EQ(*at, 1);
    ASSERT_TRUE(eventually([] { return shared().at_gate == 1; }));
    shared().gate = 1;
  }
  EXPECT_EQ(shared().passed_gate, 1U);
  EXPECT_TRUE(pool.drain(60s));
}

TEST_F(OverProcesses, CancellingASubmittedItemEndsItsTask) {
  const auto stages = pipeline<int>().stage(pool, wait_on_five);
  const Future<int> item = stages.submit(5);
  ASSERT_TRUE(eventually([] { return shared().at_gate == 1; }));
  EXPECT_TRUE(item.cancel());
  EXPECT_TRUE(pool.await_killed());
  EXPECT_EQ(shared().passed_gate, 0U) << "its process was killed";
  EXPECT_EQ(stages.submit(6).result(60s), 6);
}

}  // namespace
}  // namespace muster::testing
