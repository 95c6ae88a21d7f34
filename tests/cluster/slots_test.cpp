// The slots of a worker are shared by all programs that have something there.
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/cluster/client/job_client.hpp>

#include "cluster_of_programs.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;

constexpr Duration whole_job = 2min;

/// Runs until the gate is open so far.
int wait_for(std::uint64_t gate) {
  ++test::shared().at_gate;
  while (test::shared().gate < gate) ::usleep(100);  // bounded poll: the test opens it
  return static_cast<int>(gate);
}

/// Whatever happens, what waits goes on in the end.
struct GateKeeper {
  GateKeeper() = default;
  GateKeeper(const GateKeeper&) = delete;
  GateKeeper& operator=(const GateKeeper&) = delete;
  ~GateKeeper() { test::shared().gate = 100; }
};

class Slots : public ClusterOfPrograms {
 protected:
  void SetUp() override {
    ClusterOfPrograms::SetUp();
    start_coordinator();
    start_worker("a", {"--slots", "1"});
  }

  /// One map chunk and one reduce chunk, of a plugin: another program than this one.
  jobs::JobSpec small_job() {
    std::ofstream(path("lines"), std::ios::binary) << "one\ntwo\n";
    jobs::JobSpec spec;
    spec.task = MUSTER_TEST_PLUGINS "/faulty.so:faulty";
    spec.inputs = {path("lines")};
    spec.settings = {{"fault", "slow"}};
    spec.partitions = 1;
    spec.temp_parent = path("tmp");
    return spec;
  }
  /// The worker has so many attempts, running or not.
  bool holds(std::uint32_t attempts) {
    cluster::JobClient questions(address(), {});
    return test::eventually([&] {
      const auto rows = questions.workers().workers;
      return rows.size() == 1 && rows.front().attempts == attempts;
    });
  }
};

TEST_F(Slots, AreForAllProgramsTogether) {
  ClusterExecutor cluster(address());
  const GateKeeper at_last;
  const Future<int> running = cluster.submit(wait_for, 1);
  ASSERT_TRUE(test::eventually([] { return test::shared().at_gate == 1; }));
  const JobHandle job = cluster.run(small_job());
  ASSERT_TRUE(holds(2)) << "the job's chunk is there";
  EXPECT_FALSE(test::eventually([&] { return job.chunks().front().done(); }, 300ms))
      << "a chunk ran beside a call, on one slot";
  test::shared().gate = 1;
  EXPECT_EQ(running.result(whole_job), 1);
  EXPECT_EQ(job.report().result(whole_job).records, 2U);
}

TEST_F(Slots, AreGivenToWhatCameFirstAndNotToWhatIsAtHand) {
  ClusterExecutor cluster(address());
  const GateKeeper at_last;
  cluster.run(small_job()).report().result(whole_job);  // so that the plugin is there
  std::vector<Future<int>> calls;
  for (std::uint64_t gate : {1U, 2U, 2U, 2U}) calls.push_back(cluster.submit(wait_for, gate));
  ASSERT_TRUE(test::eventually([] { return test::shared().at_gate == 1; }));
  ASSERT_TRUE(holds(4)) << "three wait where the first one runs";
  const JobHandle job = cluster.run(small_job());
  ASSERT_TRUE(holds(5));
  // What is said to a worker arrives in order: when this has come back, the chunk is there, and the
  // three have gone back.
  const Future<int> last = cluster.submit(wait_for, 3);
  ASSERT_TRUE(test::eventually([&] { return last.state() == FutureState::dispatched; }));
  ASSERT_EQ(last.stop({.highest = CancelRung::recalled, .grace = 60s}), CancelRung::recalled);
  test::shared().gate = 1;
  EXPECT_EQ(job.chunks().front().result(whole_job).worker, "a") << "those block the only slot";
  test::shared().gate = 2;
  for (std::size_t i = 0; i < calls.size(); ++i)
    EXPECT_EQ(calls[i].result(whole_job), i == 0 ? 1 : 2);
  EXPECT_EQ(job.report().result(whole_job).records, 2U);
}

}  // namespace
}  // namespace muster::testing
