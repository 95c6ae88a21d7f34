// Workers that may not have all the memory of their machine: a chunk that takes too much ends for
// that reason, by the budget for that reason, and nothing else does.
#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cluster_jobs.hpp"
#include "support/memory_group.hpp"

namespace muster::testing {
namespace {

constexpr std::uint64_t group_bytes = std::uint64_t{400} << 20U;  // a sanitizer's own is in it
constexpr int budget = 2;                                         // attempts of a chunk

class WorkerMemory : public ClusterJobs {
 protected:
  /// The fault is done at one of many lines.
  void write_lines() {
    std::string text;
    for (int i = 0; i < 60; ++i) text += i == 25 ? "BOOM\n" : fmt::format("line {:04}\n", i);
    write("lines", text);
  }
  std::vector<std::string> task(const std::string& fault) const {
    return {"run",
            MUSTER_TEST_PLUGINS "/faulty.so:faulty",
            "lines",
            "--chunk-size",
            "100",
            "--set",
            "fault=" + fault,
            "--set",
            "path=" + path("first").string(),
            "-q"};
  }

  /// A chunk that takes all there is fails its job, for the reason that the text names. One that
  /// does so once is run again, and the result is as if nothing had been.
  void expect_reason(const std::string& reason) {
    write_lines();
    const Finished failed = on_cluster(task("allocate"));
    EXPECT_EQ(failed.exit_code, 1) << failed.text();
    EXPECT_NE(failed.err.find(fmt::format("failed {} times: ", budget)), std::string::npos)
        << failed.err;
    EXPECT_NE(failed.err.find(reason), std::string::npos) << failed.err;
    EXPECT_EQ(count(log("1"), "failed, out_of_memory: "), budget) << log("1");
    EXPECT_EQ(count(log("1"), ", attempt "), budget) << "nothing else has failed: " << log("1");

    const Finished here = muster(task("none"));
    const Finished there = on_cluster(task("allocate_once"));
    EXPECT_EQ(there.exit_code, 0) << there.text();
    EXPECT_EQ(there.out, here.out);
    EXPECT_TRUE(std::filesystem::exists(path("first"))) << "nothing has taken too much";
    EXPECT_EQ(count(log("2"), "failed, out_of_memory: "), 1) << log("2");
    EXPECT_EQ(count(log("2"), ", attempt "), 1) << log("2");
    EXPECT_EQ(count(coordinator().err(), "has gone: "), count(coordinator().err(), "it is done"))
        << "the worker lives: " << coordinator().err();
    faults = budget + 1;
  }
};

// Named as the other test that needs a control group: see scripts/check.
class WorkerMemoryKillTest : public WorkerMemory {};

TEST_F(WorkerMemoryKillTest, OfAControlGroupIsToldApart) {
  start_coordinator();
  const test::MemoryGroup group(group_bytes);
  if (!group.joined())
    GTEST_SKIP() << "needs root, or a control group of one's own, to limit its memory";
  // More than the group has, so that the worker does not act first.
  start_worker("a", {"--memory-max", "1T", "--sandbox-write", path("")});
  expect_reason("killed by signal 9 (SIGKILL), for want of memory,");
  EXPECT_EQ(group.kills(), static_cast<std::uint64_t>(faults)) << "it was the kernel, each time";
  workers().clear();
}

// Many processes may take it together: the largest one ends.
TEST_F(WorkerMemory, OfAllTaskProcessesTogetherIsHeld) {
  start_coordinator();
  Running& worker =
      start_worker("a", {"--memory-max", "500M", "--slots", "2", "--sandbox-write", path("")});
  expect_reason("killed by signal 9 (SIGKILL), for want of memory,");
  EXPECT_EQ(count(worker.err(), "(--memory-max): process "), faults) << worker.err();
}

#ifndef MUSTER_SANITIZED  // sanitizers take address space without end
TEST_F(WorkerMemory, OfAnAddressSpaceIsReportedAsSuch) {
  start_coordinator();
  limit_address_space(900'000);
  start_worker("a", {"--sandbox-write", path("")});
  expect_reason("task 'faulty' ran out of memory");
  EXPECT_EQ(faults, budget + 1);
}
#endif

}  // namespace
}  // namespace muster::testing
