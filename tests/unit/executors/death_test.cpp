#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <muster/executors/process_pool.hpp>
#include <muster/futures/wait.hpp>

#include "support.hpp"
#include "support/process_pools.hpp"

namespace muster::test {
namespace {

Bytes die(TaskContext& context, std::string_view how) {
  ++shared().runs;
  context.position().store(1234);
  std::fprintf(stderr, "about to die by %s\n", std::string(how).c_str());
  if (how == "segv") ::raise(SIGSEGV);
  if (how == "abort") std::abort();
  if (how == "exit0") std::_Exit(0);
  if (how == "exit3") std::_Exit(3);
  if (how == "kill") ::raise(SIGKILL);
  return {};
}

/// Scribbles over whatever is shared with the parent, then goes on as if nothing had happened.
Bytes scribble(TaskContext& context, std::string_view) {
  auto* around = reinterpret_cast<unsigned char*>(&context.position());
  for (std::size_t i = 64; i < 1024; ++i) around[i] = 0xee;
  return "never mind";
}

template <class Action>
void expect_broken(Action action, const std::string& reason) {
  try {
    action();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::broken);
    EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
  }
}

/// Has a pool of one start its process, kills that, and waits until the pool knows.
bool kill_idle_worker(ProcessPoolExecutor& pool) {
  const pid_t pid = std::stoi(pool.submit_raw(&own_pid, {}).result());
  if (!eventually([&] { return pool.worker_pids() == std::vector<pid_t>{pid}; })) return false;
  ::kill(pid, SIGKILL);
  return eventually([&] { return pool.worker_pids().empty(); });
}

class DeathTest : public PoolTest {};

TEST_F(DeathTest, IsReportedWithItsCause) {
  ProcessPoolExecutor pool(quiet(1));
  EXPECT_EQ(death_of(pool.submit_raw(&die, "segv")).signal, SIGSEGV);
  EXPECT_EQ(death_of(pool.submit_raw(&die, "abort")).signal, SIGABRT);
  EXPECT_EQ(death_of(pool.submit_raw(&die, "kill")).signal, SIGKILL);
  const WorkerDeath exit0 = death_of(pool.submit_raw(&die, "exit0"));
  EXPECT_EQ(exit0.signal, 0);
  EXPECT_EQ(exit0.exit_code, 0) << "a death all the same";
  EXPECT_EQ(death_of(pool.submit_raw(&die, "exit3")).exit_code, 3);
  EXPECT_EQ(pool.submit_raw(&echo, "alive").result(), "alive");
  EXPECT_EQ(shared().runs.load(), 5U) << "no task was run again";
}

TEST_F(DeathTest, CarriesWhatIsKnown) {
  ProcessPoolExecutor pool(quiet(1));
  const Future<Bytes> future = pool.submit_raw(&die, "segv", {.name = "doomed"});
  const WorkerDeath death = death_of(future);
  EXPECT_EQ(death.task_name, "doomed");
  EXPECT_EQ(death.task, 1U) << "the first of the pool";
  EXPECT_GT(death.pid, 0);
  EXPECT_GT(death.max_rss_bytes, 100'000U);
  EXPECT_EQ(death.position, 1234U);
  EXPECT_NE(death.stderr_tail.find("about to die by segv"), std::string::npos);
  try {
    future.result();
  } catch (const WorkerDiedError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("signal 11 (SIGSEGV)"), std::string::npos) << what;
    EXPECT_NE(what.find("while it ran task 1 ('doomed')"), std::string::npos) << what;
    EXPECT_NE(what.find("about to die by segv"), std::string::npos) << what;
  }
}

TEST_F(DeathTest, CostsOnlyTheRunningTask) {
  constexpr unsigned prefetched = 8;
  ProcessPoolExecutor pool(quiet(1, prefetched));
  const Future<Bytes> running = pool.submit_raw(&wait_at_gate, "0");
  std::vector<Future<Bytes>> waiting;
  for (unsigned i = 1; i <= 2 * prefetched; ++i) {
    waiting.push_back(pool.submit_raw(&count, std::to_string(i)));
  }
  ASSERT_TRUE(has_started(pool, running));
  ::kill(pool.progress(running)->pid, SIGKILL);
  EXPECT_EQ(death_of(running).signal, SIGKILL);
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    EXPECT_EQ(waiting[i].result(), std::to_string(i + 1));
  }
  for (unsigned i = 0; i <= 2 * prefetched; ++i) {
    EXPECT_EQ(shared().runs_by_number[i].load(), 1U) << i;
  }
}

TEST_F(DeathTest, OfAnIdleProcessIsMadeGood) {
  ProcessPoolExecutor pool(quiet(1));
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(kill_idle_worker(pool));
  }
  EXPECT_EQ(pool.submit_raw(&echo, "alive").result(), "alive");
}

TEST_F(DeathTest, ScribblingOverTheRingsHarmsThatTaskAlone) {
  ProcessPoolExecutor pool(quiet(2));
  std::vector<Future<Bytes>> others;
  others.reserve(100);
  for (int i = 0; i < 100; ++i) {
    others.push_back(pool.submit_raw(&echo, std::to_string(i)));
  }
  const Future<Bytes> bad = pool.submit_raw(&scribble, {}, {.fresh_process = true});
  for (std::size_t i = 0; i < others.size(); ++i) EXPECT_EQ(others[i].result(), std::to_string(i));
  // It may die, be killed, or hang: the parent must survive it, and be able to end it.
  bad.cancel();
  EXPECT_TRUE(bad.wait(std::chrono::seconds(60)));
}

TEST_F(DeathTest, InTheMiddleOfALargeResultIsADeath) {
  ProcessPoolOptions options = quiet(1);
  options.ring_bytes = 4096;
  ProcessPoolExecutor pool(options);
  for (int round = 0; round < 20; ++round) {
    const Future<Bytes> task = pool.submit_raw(&echo, Bytes(1'000'000, 'x'));
    ASSERT_TRUE(eventually([&] { return pool.progress(task) || task.done(); }));
    for (const pid_t pid : pool.worker_pids()) ::kill(pid, SIGKILL);
    ASSERT_TRUE(task.wait(std::chrono::seconds(60)));
    if (task.exception() != nullptr) {
      EXPECT_THROW(task.result(), WorkerDiedError);
    }
  }
}

TEST_F(DeathTest, RacyKillsChargeOneTaskEach) {
  constexpr int rounds = 200;
  ProcessPoolExecutor pool(quiet(2, 4));
  int deaths = 0;
  for (int round = 0; round < rounds; ++round) {
    for (auto& runs : shared().runs_by_number) runs = 0;
    std::vector<Future<Bytes>> futures;
    for (int i = 0; i < 30; ++i) {
      futures.push_back(pool.submit_raw(&count, std::to_string(i)));
      if (i == round % 30) {
        const std::vector<pid_t> pids = pool.worker_pids();
        if (!pids.empty()) ::kill(pids.front(), SIGKILL);
      }
    }
    const auto result = wait(futures, {ReturnWhen::all_completed, std::chrono::seconds(60)});
    ASSERT_TRUE(result.not_done.empty()) << "round " << round;
    int charged = 0;
    for (std::size_t i = 0; i < futures.size(); ++i) {
      const bool died = futures[i].exception() != nullptr;
      charged += died;
      const std::uint64_t runs = shared().runs_by_number[i];
      ASSERT_LE(runs, 1U) << "a task ran twice";
      ASSERT_TRUE(died || runs == 1U);
    }
    ASSERT_LE(charged, 1) << "round " << round;
    deaths += charged;
  }
  RecordProperty("deaths", deaths);
}

TEST_F(DeathTest, BeforeAnythingWasRunIsForgivenTwice) {
  ProcessPoolExecutor pool(quiet(1, 4));
  shared().doomed_births = 2;
  std::vector<Future<Bytes>> futures;
  futures.reserve(10);
  for (int i = 0; i < 10; ++i) {
    futures.push_back(pool.submit_raw(&count, std::to_string(i)));
  }
  for (std::size_t i = 0; i < futures.size(); ++i)
    EXPECT_EQ(futures[i].result(), std::to_string(i));
  EXPECT_EQ(shared().runs.load(), 10U);
  EXPECT_EQ(shared().doomed_births.load(), 0U);
}

TEST_F(DeathTest, BeforeAnythingWasRunThreeTimesBreaksThePool) {
  for (const bool fresh : {false, true}) {
    ProcessPoolExecutor pool(quiet(1));
    shared().doomed_births = 3;
    std::vector<Future<Bytes>> futures;
    futures.reserve(10);
    for (int i = 0; i < 10; ++i) {
      futures.push_back(pool.submit_raw(&count, "1", {.fresh_process = fresh}));
    }
    for (const auto& future : futures) {
      expect_broken([&] { future.result(); }, "before they ran anything");
    }
    expect_broken([&] { pool.submit_raw(&echo, "x"); }, "before they ran anything");
    EXPECT_EQ(shared().runs.load(), 0U);
  }
}

/// A limit on the descriptors of the zygote, whose own are 0 to 4 and the pool's connection.
class ZygoteLimit {
 public:
  explicit ZygoteLimit(rlim_t descriptors) : zygote_(children_of(::getpid()).front()) {
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

TEST_F(DeathTest, WithoutAnyNewProcessThePoolBreaks) {
  ProcessPoolExecutor pool(quiet(1));
  ASSERT_TRUE(kill_idle_worker(pool));
  const ZygoteLimit limit(6);  // the descriptors of the request get lost on their way
  const Future<Bytes> future = pool.submit_raw(&echo, "x");
  expect_broken([&] { future.result(); }, "no task process can be started");
}

TEST_F(DeathTest, AProcessThatCouldNotBeKilledIsNotKept) {
  ProcessPoolExecutor pool(quiet(1));
  ASSERT_TRUE(kill_idle_worker(pool));
  const ZygoteLimit limit(9);  // those of the request, and none for a pidfd
  // Whether it gets to run something before it is killed is a race, and so is when the pool gives
  // up, which later submits are then told; but no one waits for ever.
  std::vector<Future<Bytes>> futures;
  futures.push_back(pool.submit_raw(&spin, {}));
  try {
    while (futures.size() < 3) futures.push_back(pool.submit_raw(&spin, {}));
  } catch (const BrokenExecutor& e) {
    EXPECT_NE(std::string(e.what()).find("no task process can be started"), std::string::npos)
        << e.what();
  }
  EXPECT_TRUE(
      wait(futures, {ReturnWhen::all_completed, std::chrono::seconds(60)}).not_done.empty());
}

}  // namespace
}  // namespace muster::test
