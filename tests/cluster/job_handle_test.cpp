// Jobs as a program runs them: ClusterExecutor::run() against real coordinators and workers.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/futures/as_completed.hpp>
#include <muster/futures/wait.hpp>

#include "cluster_of_programs.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;

constexpr Duration whole_job = 2min;

class JobHandles : public ClusterOfPrograms {
 protected:
  /// Ten lines a chunk, and three partitions.
  jobs::JobSpec job_of(int lines, const std::string& fault) {
    std::ofstream file(path("lines"), std::ios::binary);
    for (int i = 0; i < lines; ++i) {
      file << fmt::format("BOOM {:04}\n", i);
      expected += fmt::format("BOOM {:04}\t1\n", i);
    }
    jobs::JobSpec spec;
    spec.task = MUSTER_TEST_PLUGINS "/faulty.so:faulty";
    spec.inputs = {path("lines")};
    spec.settings = {{"fault", fault}};
    spec.partitions = 3;
    spec.chunk_bytes = 100;
    spec.temp_parent = path("tmp");
    return spec;
  }
  static std::string result_of(const JobHandle& job) {
    std::string out;
    job.read([&](std::string_view lines) { out += lines; });
    return out;
  }
  /// Waits until so many chunks of the job have ended.
  static bool has_done(const JobHandle& job, std::size_t chunks) {
    return eventually(
        [&] {
          std::size_t done = 0;
          for (const auto& each : job.chunks()) done += each.done() ? 1U : 0U;
          return done >= chunks;
        },
        60s);
  }

  std::string expected;
};

TEST_F(JobHandles, HaveAFutureForEachChunk) {
  start_coordinator();
  for (const char* name : {"a", "b"}) start_worker(name);
  for (const char* name : {"'a'", "'b'"}) ASSERT_NE(await_line(coordinator(), name), "");
  ClusterExecutor cluster(address());
  const JobHandle job = cluster.run(job_of(400, "slow"));
  ASSERT_EQ(job.chunks().size(), 43U);
  std::map<std::string, std::set<std::uint32_t>> chunks;
  std::set<std::string> workers;
  for (const auto& each : as_completed(job.chunks(), whole_job)) {
    const ChunkReport& chunk = each.result();
    EXPECT_TRUE(chunks[chunk.stage].insert(chunk.chunk).second);
    EXPECT_EQ(chunk.attempts, 1U);
    workers.insert(chunk.worker);
  }
  EXPECT_EQ(chunks["map"].size(), 40U);
  EXPECT_EQ(chunks["reduce"].size(), 3U);
  EXPECT_EQ(workers, (std::set<std::string>{"a", "b"}));
  const jobs::JobReport report = job.report().result(whole_job);
  EXPECT_EQ(report.records_mapped, 400U);
  EXPECT_EQ(report.records, 400U);
  EXPECT_EQ(report.parts, 3U);
  EXPECT_EQ(report.retries, 0U);
  EXPECT_EQ(result_of(job), expected);
}

TEST_F(JobHandles, TellOfLostWorkers) {
  start_coordinator({"--lease", "1s"});
  for (const char* name : {"a", "b"}) start_worker(name);
  ClusterExecutor cluster(address());
  const JobHandle job = cluster.run(job_of(600, "slow"));
  ASSERT_TRUE(has_done(job, 10));
  kill(workers().front(), SIGKILL);
  EXPECT_GE(job.report().result(whole_job).retries, 1U);
  unsigned again = 0;
  for (const auto& each : job.chunks()) {
    if (each.result().attempts < 2) continue;
    ++again;
    EXPECT_EQ(each.result().worker, "b");
  }
  EXPECT_GE(again, 1U) << "what ran on it was run by the other";
  EXPECT_EQ(result_of(job), expected);
}

TEST_F(JobHandles, FailAsTheirJob) {
  start_coordinator();
  start_worker("a");
  ClusterExecutor cluster(address());
  const JobHandle job = cluster.run(job_of(40, "throw"));
  try {
    static_cast<void>(job.report().result(whole_job));
    FAIL() << "it succeeded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::task);
    EXPECT_NE(std::string(error.what()).find("thrown on purpose"), std::string::npos)
        << error.what();
  }
  for (const auto& each : job.chunks()) EXPECT_NE(each.exception(0s), nullptr);
  EXPECT_THROW(result_of(job), Error);
}

TEST_F(JobHandles, AreRefusedForWhatMakesNoSense) {
  start_coordinator();
  ClusterExecutor cluster(address());
  jobs::JobSpec spec = job_of(10, "none");
  spec.settings = {{"fault", "unheard of"}};
  EXPECT_THROW(cluster.run(spec), Error);
  spec = job_of(10, "none");
  spec.inputs = {path("nothing")};
  EXPECT_THROW(cluster.run(spec), Error);
}

TEST_F(JobHandles, CancelTheirJob) {
  start_coordinator();
  start_worker("a");
  ClusterExecutor cluster(address());
  const JobHandle job = cluster.run(job_of(2000, "slow"));
  ASSERT_TRUE(has_done(job, 3));
  EXPECT_FALSE(Future(job.chunks().back()).cancel()) << "chunks go with their job";
  job.cancel();
  EXPECT_THROW(static_cast<void>(job.report().result(whole_job)), CancelledError);
  unsigned cancelled = 0;
  for (const auto& each : job.chunks()) {
    ASSERT_TRUE(each.done());
    cancelled += each.cancelled() ? 1U : 0U;
  }
  EXPECT_GT(cancelled, 100U);
  EXPECT_LT(cancelled, job.chunks().size());
}

TEST_F(JobHandles, GoOnWhenTheCoordinatorIsBack) {
  start_coordinator({"--lease", "2s"});
  for (const char* name : {"a", "b"}) start_worker(name);
  ClusterExecutor cluster(address());
  const JobHandle job = cluster.run(job_of(2000, "slow"));
  ASSERT_TRUE(has_done(job, 10));
  kill(coordinator_slot(), SIGKILL);
  start_coordinator({"--lease", "2s"});
  EXPECT_EQ(job.report().result(whole_job).records, 2000U);
  for (const auto& each : job.chunks()) {
    EXPECT_GE(each.result(0s).attempts, 1U);
    EXPECT_FALSE(each.result().worker.empty());
  }
  EXPECT_EQ(result_of(job), expected);
}

TEST_F(JobHandles, OutliveTheirExecutor) {
  start_coordinator();
  start_worker("a");
  auto cluster = std::make_unique<ClusterExecutor>(address());
  const JobHandle job = cluster->run(job_of(100, "slow"));
  cluster.reset();  // waits
  EXPECT_TRUE(job.report().done());
  EXPECT_EQ(result_of(job), expected);
}

TEST_F(JobHandles, AreCancelledWhileSomebodyWaits) {
  start_coordinator();
  start_worker("a");
  ClusterExecutor cluster(address());
  const JobHandle job = cluster.run(job_of(2000, "slow"));
  ASSERT_TRUE(has_done(job, 1));
  std::thread waits([&] { cluster.shutdown(true); });
  cluster.shutdown(false, true);
  waits.join();
  EXPECT_TRUE(job.report().cancelled());
}

TEST_F(JobHandles, AreNotWaitedForInTheirOwnCallbacks) {
  start_coordinator();
  start_worker("a");
  ClusterExecutor cluster(address());
  const JobHandle job = cluster.run(job_of(500, "slow"));
  std::promise<int> refused;
  // The last one: a callback of what is done already would run here.
  Future(job.chunks().back()).add_done_callback([&](const auto&) {
    int count = 0;
    for (const auto& forbidden : {std::function<void()>([&] { job.read([](auto) {}); }),
                                  std::function<void()>([&] { cluster.shutdown(true); })}) {
      try {
        forbidden();
      } catch (const Error& error) {
        count += error.code() == ErrorCode::usage ? 1 : 0;
      }
    }
    refused.set_value(count);
  });
  EXPECT_EQ(refused.get_future().get(), 2);
  EXPECT_EQ(result_of(job), expected);
}

TEST_F(JobHandles, AreCancelledByShutdown) {
  start_coordinator();
  start_worker("a");
  ClusterExecutor cluster(address());
  const JobHandle job = cluster.run(job_of(2000, "slow"));
  ASSERT_TRUE(has_done(job, 1));
  cluster.shutdown(true, true);
  EXPECT_TRUE(job.report().cancelled());
  EXPECT_THROW(cluster.run(job_of(10, "none")), Error);
}

}  // namespace
}  // namespace muster::testing
