// What only processes do in their lives: items 81 to 101.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <muster/muster.hpp>

#include "contract.hpp"
#include "support/proc.hpp"
#include "support/process_pools.hpp"
#include "support/role.hpp"
#include "tasks.hpp"

namespace muster::conformance {
namespace {

using namespace std::chrono_literals;
using test::code_of;
using test::death_of;
using test::is_gone;
using test::quiet;
using test::sole_worker;

class Processes : public ProcessesContract {};

TEST_F(Processes, AKilledOneCostsItsTaskAlone) {
  covers({82});
  ProcessPoolExecutor pool(quiet(1, 8));
  const Future<int> running = pool.submit(pass_gate, 0);
  std::vector<Future<int>> behind;
  for (int i = 1; i <= 20; ++i) behind.push_back(pool.submit(count, i));
  ASSERT_TRUE(at_gate(1));
  ::kill(sole_worker(pool), SIGKILL);
  EXPECT_EQ(death_of(running).signal, SIGKILL);
  for (int i = 1; i <= 20; ++i) EXPECT_EQ(behind[static_cast<std::size_t>(i - 1)].result(60s), i);
  EXPECT_EQ(pool.submit(count, 21).result(60s), 21);
  for (std::size_t i = 0; i <= 21; ++i) EXPECT_EQ(shared().runs_by_number[i], 1U) << i;
}

TEST_F(Processes, AKilledOnesTaskIsRetriedWithinItsBudget) {
  covers({82});
  ProcessPoolExecutor pool(quiet(1));
  for (const unsigned budget : {1U, 2U}) {
    reset_shared();
    const TaskOptions options{.retries = {.worker_lost = budget}};
    const Future<int> task = pool.submit(options, pass_gate, 0);
    for (unsigned kill = 1; kill <= budget; ++kill) {
      ASSERT_TRUE(at_gate(kill));
      ::kill(sole_worker(pool), SIGKILL);
    }
    ASSERT_TRUE(at_gate(budget + 1));
    shared().gate = 1;
    EXPECT_EQ(task.result(60s), 0);
    EXPECT_EQ(shared().runs, budget + 1);
  }
  reset_shared();
  const Future<int> spent = pool.submit({.retries = {.worker_lost = 1}}, pass_gate, 0);
  for (unsigned kill = 1; kill <= 2; ++kill) {
    ASSERT_TRUE(at_gate(kill));
    ::kill(sole_worker(pool), SIGKILL);
  }
  EXPECT_EQ(death_of(spent).deaths, 2U);
  EXPECT_EQ(shared().runs, 2U);
}

TEST_F(Processes, AStoppedOneIsKilledInTime) {
  ProcessPoolExecutor pool(quiet(1));
  const Future<int> stopped = pool.submit({.run_timeout = 500ms}, pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  const pid_t pid = sole_worker(pool);
  ::kill(pid, SIGSTOP);
  EXPECT_THROW(stopped.result(60s), DeadlineError);
  EXPECT_TRUE(eventually([&] { return is_gone(pid); }));
  EXPECT_EQ(pool.submit(count, 1).result(60s), 1);
  EXPECT_EQ(shared().runs, 2U) << "the stopped one was not run again";
}

TEST_F(Processes, AStoppedOneIsCancelled) {
  ProcessPoolExecutor pool(quiet(1));
  const Future<int> stopped = pool.submit(pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  const pid_t pid = sole_worker(pool);
  ::kill(pid, SIGSTOP);
  ASSERT_TRUE(eventually([&] { return test::state_of(pid) == 'T'; }));
  EXPECT_TRUE(stopped.cancel());
  EXPECT_TRUE(pool.await_killed(60s));
  EXPECT_TRUE(is_gone(pid));
  EXPECT_EQ(pool.submit(count, 1).result(60s), 1);
}

struct OwnError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
void throw_nested() {
  try {
    throw std::out_of_range("the cause");
  } catch (...) {
    std::throw_with_nested(OwnError("the effect"));
  }
}

TEST_F(Processes, AnErrorTellsWhatItWasThere) {
  covers({85});
  ProcessPoolExecutor pool(quiet(1));
  const Future<void> task = pool.submit(throw_nested);
  try {
    task.result(60s);
    ADD_FAILURE() << "no error";
  } catch (const RemoteError& error) {
    EXPECT_NE(error.type().find("OwnError"), std::string::npos) << error.type();
    const std::string what = error.what();
    EXPECT_NE(what.find("the effect"), std::string::npos) << what;
    EXPECT_NE(what.find("std::out_of_range: the cause"), std::string::npos) << what;
    ASSERT_EQ(error.chain().size(), 2U);
    EXPECT_EQ(error.chain()[1].message, "the cause");
    EXPECT_EQ(error.pid(), test::sole_worker(pool));
    EXPECT_FALSE(error.host().empty());
    ASSERT_FALSE(error.backtrace().empty());
    EXPECT_NE(error.report().find(error.backtrace().front()), std::string::npos);
  }
}

TEST_F(Processes, EndsAfterItsTasks) {
  covers({90});
  ProcessPoolOptions options = quiet(1);
  options.max_tasks_per_child = 3;
  ProcessPoolExecutor pool(options);
  std::vector<pid_t> pids;
  for (int i = 0; i < 7; ++i) pids.push_back(pool.submit(own_pid).result(60s));
  EXPECT_EQ(pids[0], pids[2]);
  EXPECT_NE(pids[2], pids[3]);
  EXPECT_EQ(pids[3], pids[5]);
  EXPECT_NE(pids[5], pids[6]);
}

TEST_F(Processes, ABacklogWithFewTasksEachGoesOn) {
  covers({92, 93, 97});
  for (const std::uint64_t tasks : {1U, 2U}) {
    for (const bool shut_down : {false, true}) {
      ProcessPoolOptions options = quiet(2);
      options.max_tasks_per_child = tasks;
      ProcessPoolExecutor pool(options);
      std::vector<Future<pid_t>> futures;
      for (int i = 0; i < 40; ++i) futures.push_back(pool.submit(own_pid));
      if (shut_down) pool.shutdown(false);
      std::multiset<pid_t> pids;
      for (const auto& each : futures) pids.insert(each.result(60s));
      for (const pid_t pid : pids) EXPECT_LE(pids.count(pid), tasks);
    }
  }
}

TEST_F(Processes, OneTaskEachThatFailsDoesNotHang) {
  covers({81});
  ProcessPoolOptions options = quiet(1);
  options.max_tasks_per_child = 1;
  ProcessPoolExecutor pool(options);
  const Future<int> bad = pool.submit(fails_on_three, 3);
  const Future<int> good = pool.submit(fails_on_three, 4);
  pool.shutdown(false);
  EXPECT_NE(error_text(bad.exception(60s)).find("three"), std::string::npos);
  EXPECT_EQ(good.result(60s), 4);
}

TEST_F(Processes, FuturesOfALostExecutorSayWhy) {
  covers({94});
  const auto result = test::run_role("zygote_dies");
  EXPECT_EQ(result.status, 0) << result.err;
  std::size_t named = 0;
  for (std::size_t at = result.out.find("zygote"); at != std::string::npos;
       at = result.out.find("zygote", at + 1)) {
    ++named;
  }
  EXPECT_GE(named, 20U) << result.out;
}

TEST_F(Processes, AForcedEndReplacesNoneAndFinishesNothing) {
  covers({95, 99});
  for (const bool kill : {false, true}) {
    reset_shared();
    ProcessPoolExecutor pool(quiet(2, 1));
    std::vector<Future<int>> running;
    for (int i = 0; i < 2; ++i) running.push_back(pool.submit(pass_gate, i));
    ASSERT_TRUE(at_gate(2));
    std::vector<Future<int>> queued;
    for (int i = 0; i < 10; ++i) queued.push_back(pool.submit(count, 9));
    ASSERT_TRUE(eventually([&] { return pool.worker_pids().size() == 2; }));
    const std::vector<pid_t> pids = pool.worker_pids();
    kill ? pool.kill_workers() : pool.terminate_workers();
    for (const auto& each : running) {
      EXPECT_EQ(death_of(each).signal, kill ? SIGKILL : SIGTERM);
    }
    for (const auto& each : queued) {
      EXPECT_EQ(code_of(each), ErrorCode::broken);
    }
    EXPECT_THROW(pool.submit(count, 9), Error);
    pool.shutdown();
    for (const pid_t pid : pids) EXPECT_TRUE(is_gone(pid));
    EXPECT_TRUE(pool.worker_pids().empty());
    EXPECT_EQ(shared().runs, 2U);
  }
}

TEST_F(Processes, AForcedEndOfTheDeadOrUnbornIsFine) {
  covers({100, 101});
  for (const bool kill : {false, true}) {
    {
      ProcessPoolExecutor pool(quiet(2));
      kill ? pool.kill_workers() : pool.terminate_workers();
      pool.shutdown();
    }
    ProcessPoolExecutor pool(quiet(1));
    const pid_t pid = pool.submit(own_pid).result(60s);
    ASSERT_TRUE(eventually([&] { return pool.worker_pids() == std::vector<pid_t>{pid}; }));
    ::kill(pid, SIGKILL);
    ASSERT_TRUE(eventually([&] { return pool.worker_pids().empty(); }));
    kill ? pool.kill_workers() : pool.terminate_workers();
    kill ? pool.kill_workers() : pool.terminate_workers();
    pool.shutdown();
    kill ? pool.kill_workers() : pool.terminate_workers();
  }
}

/// A limit on the descriptors of the zygote, whose own are 0 to 4 and the pool's connection.
class ZygoteLimit {
 public:
  explicit ZygoteLimit(rlim_t descriptors) : zygote_(test::children_of(::getpid()).front()) {
    EXPECT_EQ(::prlimit(zygote_, RLIMIT_NOFILE, nullptr, &before_), 0);
    const rlimit tight{descriptors, before_.rlim_max};
    EXPECT_EQ(::prlimit(zygote_, RLIMIT_NOFILE, &tight, nullptr), 0);
  }
  ZygoteLimit(const ZygoteLimit&) = delete;
  ZygoteLimit& operator=(const ZygoteLimit&) = delete;
  ~ZygoteLimit() { ::prlimit(zygote_, RLIMIT_NOFILE, &before_, nullptr); }

 private:
  pid_t zygote_;
  rlimit before_{};
};

TEST_F(Processes, WhereNoneCanBeStartedThereIsAnError) {
  covers({96});
  ProcessPoolExecutor pool(quiet(1));
  const pid_t pid = pool.submit(own_pid).result(60s);
  ASSERT_TRUE(eventually([&] { return pool.worker_pids() == std::vector<pid_t>{pid}; }));
  ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return pool.worker_pids().empty(); }));
  const ZygoteLimit limit(6);  // the descriptors of the request get lost on their way
  const Future<int> task = pool.submit(count, 1);
  EXPECT_EQ(code_of(task), ErrorCode::broken);
  EXPECT_NE(error_text(task.exception(60s)).find("no task process can be started"),
            std::string::npos);
  EXPECT_EQ(shared().runs, 0U);
}

}  // namespace
}  // namespace muster::conformance
