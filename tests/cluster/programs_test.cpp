// The programs as their users meet them.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

#include <unistd.h>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

#include "cluster_of_programs.hpp"
#include "square.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;
using test::shared;

int collected_sum(ClusterExecutor& cluster) {
  std::vector<int> inputs(100);
  std::iota(inputs.begin(), inputs.end(), 0);
  int sum = 0;
  for (const int each : cluster.map([](int x) { return 2 * x; }, inputs)) sum += each;
  return sum;
}

class Programs : public ClusterOfPrograms {};

TEST_F(Programs, RunAClientsCalls) {
  start_coordinator();
  start_worker("w1");
  start_worker("w2");
  ClusterExecutor cluster(address(), {.name = "a-test"});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 1000; ++i) futures.push_back(cluster.submit(square, i));
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(futures[static_cast<std::size_t>(i)].result(60s), i * i);
  EXPECT_NE(await_line(coordinator(), "client 'a-test'"), "");
  EXPECT_NE(await_line(coordinator(), "worker 'w1'"), "");
  EXPECT_EQ(collected_sum(cluster), 2 * 4950);
}

TEST_F(Programs, EndWhenTheyAreTold) {
  start_coordinator();
  Running& worker = start_worker("w1");
  ClusterExecutor cluster(address());
  EXPECT_EQ(cluster.submit(square, 3).result(60s), 9);
  worker.send(SIGTERM);
  const Finished worker_end = worker.wait();
  EXPECT_EQ(worker_end.exit_code, 0) << worker_end.text();
  EXPECT_NE(await_line(coordinator(), "it has drained"), "");
  coordinator().send(SIGINT);
  const Finished end = coordinator().wait();
  EXPECT_EQ(end.exit_code, 0) << end.text();
}

TEST_F(Programs, AWorkerEndsWhenItIsToldThoughItsCoordinatorIsGone) {
  start_coordinator({"--lease", "600ms"});
  Running& worker = start_worker("w1");
  EXPECT_NE(await_line(worker, "has joined"), "");
  kill(coordinator_slot(), SIGKILL);
  worker.send(SIGTERM);
  EXPECT_EQ(worker.wait().exit_code, 0);
}

TEST_F(Programs, AWorkerMayHaveManySlots) {
  start_coordinator();
  start_worker("large", {"--slots", "64"});
  EXPECT_NE(await_line(coordinator(), "with 64 slots"), "");
}

TEST_F(Programs, FetchAgainWhatWasDeleted) {
  start_coordinator();
  start_worker("w1");
  ClusterExecutor cluster(address());
  EXPECT_EQ(cluster.submit(square, 3).result(60s), 9);
  kill(workers().front(), SIGTERM);
  workers().clear();
  for (const char* each : {"state/muster/programs", "cache/muster/programs"}) {
    ASSERT_FALSE(std::filesystem::is_empty(path(each))) << each;
    for (const auto& file : std::filesystem::directory_iterator(path(each)))
      std::filesystem::remove(file.path());
  }
  start_worker("w2");
  EXPECT_EQ(cluster.submit(square, 4).result(60s), 16);
}

TEST_F(Programs, AWorkerOfATakenNameIsToldAndWaits) {
  start_coordinator();
  start_worker("same");
  EXPECT_NE(await_line(coordinator(), "worker 'same'"), "");
  Running& second = start_worker("same");
  EXPECT_NE(await_line(second, "a worker named 'same' is there").find("--name"), std::string::npos);
  workers().front()->send(SIGTERM);
  EXPECT_EQ(workers().front()->wait().exit_code, 0);
  EXPECT_NE(await_line(second, "has joined"), "") << "it tries again";
}

TEST_F(Programs, AWorkerDrainsAtSigusr1) {
  start_coordinator();
  Running& worker = start_worker("w1");
  ClusterExecutor cluster(address());
  const Future<int> runs = cluster.submit([] {
    test::stay_at_gate();
    return 7;
  });
  ASSERT_TRUE(eventually([] { return shared().at_gate == 1; }));
  const Future<int> waits = cluster.submit(square, 3);
  for (int i = 0; i < 3; ++i) worker.send(SIGUSR1);  // more of them are no more than one
  EXPECT_NE(await_line(coordinator(), "is draining"), "");
  start_worker("w2");
  EXPECT_EQ(waits.result(60s), 9) << "it was given back";
  shared().gate = 1;
  EXPECT_EQ(runs.result(60s), 7);
  const Finished end = worker.wait();
  EXPECT_EQ(end.exit_code, 0) << end.text();
  EXPECT_EQ(shared().at_gate, 1U);
}

TEST_F(Programs, AWorkerThatDrainsEndsAtSigtermAndSaysSo) {
  start_coordinator({"--lease", "5m"});
  Running& worker = start_worker("w1");
  ClusterExecutor cluster(address());
  const Future<void> runs = cluster.submit(test::stay_at_gate);
  ASSERT_TRUE(eventually([] { return shared().at_gate == 1; }));
  worker.send(SIGUSR1);
  EXPECT_NE(await_line(coordinator(), "is draining"), "");
  start_worker("w2");
  worker.send(SIGTERM);
  EXPECT_EQ(worker.wait().exit_code, 0);
  EXPECT_TRUE(eventually([] { return shared().at_gate == 2; })) << "long before the lease is over";
  shared().gate = 1;
  EXPECT_NO_THROW(runs.result(60s));
}

TEST_F(Programs, AWorkerLeavesAfterItsLifetime) {
  start_coordinator();
  // Long enough for the call to arrive, with its program, also with sanitizers.
  Running& worker = start_worker("w1", {"--lifetime", "4s"});
  ClusterExecutor cluster(address());
  const Future<int> runs = cluster.submit([] {
    test::stay_at_gate();
    return 7;
  });
  ASSERT_TRUE(eventually([] { return shared().at_gate == 1; }));
  EXPECT_NE(await_line(coordinator(), "its lifetime is over"), "");
  EXPECT_FALSE(worker.ended());
  shared().gate = 1;
  EXPECT_EQ(runs.result(60s), 7);
  EXPECT_EQ(worker.wait().exit_code, 0);
}

TEST_F(Programs, ACoordinatorWritesItsAddress) {
  start_coordinator({"--address-file", "address"});
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(path("address")); }));
  EXPECT_EQ(read_file(path("address"), 100), address() + "\n");
}

TEST_F(Programs, BadOptionsAreNamed) {
  const auto expect_usage = [&](const std::string& program, Options options,
                                const std::string& text) {
    const Finished end = run(command(program, std::move(options)));
    EXPECT_EQ(end.exit_code, 2) << end.text();
    EXPECT_NE(end.err.find(text), std::string::npos) << end.text();
  };
  expect_usage("muster-coordinator", {"--bind", "tcp://0.0.0.0:*"}, "muster keys init");
  expect_usage("muster-coordinator", {"--bind", "nonsense"}, "nonsense");
  expect_usage("muster-coordinator", {"--bnd", "x"}, "--bind");
  expect_usage("muster-coordinator", {"--lease", "soon"}, "--lease");
  expect_usage("muster-worker", {}, "--coordinator");
  expect_usage("muster-worker", {"--coordinator", "tcp://x:1", "--slots", "0"}, "--slots");
  expect_usage("muster-worker", {"--coordinator", "tcp://x:1", "--lifetime", "x"}, "--lifetime");
  expect_usage("muster-worker", {"--coordinator", "tcp://x:1", "--env", "x"}, "NAME=VALUE");
  expect_usage("muster-worker", {"--coordinator", "nonsense"}, "nonsense");
  EXPECT_NE(run(command("muster-worker", {"--help"})).out.find("--slots"), std::string::npos);
  EXPECT_EQ(run(command("muster-coordinator", {"--version"})).out.rfind("muster-coordinator ", 0),
            0U);
}

TEST_F(Programs, WhatTasksWriteIsInTheWorkersLog) {
  start_coordinator();
  Running& worker = start_worker("w1");
  ClusterExecutor cluster(address());
  cluster.submit([] { std::fprintf(stderr, "a word from a task\n"); }).result(60s);
  EXPECT_NE(await_line(worker, "a word from a task"), "");
}

}  // namespace
}  // namespace muster::testing
