#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/executors/process_pool.hpp>
#include <muster/executors/processes/shared_area.hpp>
#include <muster/futures/errors.hpp>

#include "support.hpp"
#include "support/gate.hpp"
#include "support/process_pools.hpp"

// Whoever could go on is told, and no process is left out, whatever else the pool is busy with.

namespace muster::test {
namespace {

using namespace std::chrono_literals;

int hold(int number) {
  ++shared().runs_by_number[number];
  stay_at_gate();
  return number;
}
int after_a_nap(int number) {
  ::usleep(20'000);  // slow on purpose: whoever waits for it has gone to sleep
  return number;
}
int note_run(int number) {
  ++shared().runs_by_number[number];
  return number;
}
int deaf_to_the_token(std::stop_token, int number) { return hold(number); }
pid_t deaf_to_sigterm() {
  std::signal(SIGTERM, SIG_IGN);
  stay_at_gate();
  return ::getpid();
}

/// Says that it has read what was never written, and holds on to that for a while.
Bytes spoil_the_ring(TaskContext& context, std::string_view) {
  auto* const position = reinterpret_cast<char*>(&context.position());
  auto* const header =
      reinterpret_cast<detail::SharedHeader*>(position - offsetof(detail::SharedHeader, position));
  header->to_child.consumed.store(std::uint64_t{1} << 62U);
  stay_at_gate();
  return {};
}

bool at_the_gate(std::uint64_t count) {
  return eventually([count] { return shared().at_gate == count; });
}

class WakeUpTest : public PoolTest {};

TEST_F(WakeUpTest, ATaskThatIsCancelledMakesRoom) {
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 0, .queue_max = 1});
  const Future<int> running = pool.submit(hold, 0);
  ASSERT_TRUE(at_the_gate(1));
  const Future<int> queued = pool.submit(note_run, 1);
  std::atomic<int> submitted = 0;
  std::jthread submitter([&] {
    ++submitted;
    pool.submit(note_run, 2);
    ++submitted;
  });
  ASSERT_TRUE(eventually([&] { return submitted == 1; }));
  ASSERT_TRUE(eventually(other_threads_sleep)) << "it waits for room";
  EXPECT_EQ(submitted, 1);
  EXPECT_TRUE(queued.cancel());
  EXPECT_TRUE(eventually([&] { return submitted == 2; }, 20s));
  EXPECT_FALSE(running.done());
  shared().gate = 1;
  EXPECT_EQ(running.result(60s), 0);
}

TEST_F(WakeUpTest, AResultIsTakenWhileACallbackRuns) {
  Gate busy;
  ProcessPoolExecutor pool({.max_workers = 1});
  pool.submit(after_a_nap, 0).add_done_callback([&busy] { busy.pass(); });
  busy.await(1);
  for (int i = 1; i < 6; ++i) EXPECT_EQ(pool.submit(after_a_nap, i).result(20s), i);
  busy.open();
}

TEST_F(WakeUpTest, AFreshTaskTakesThePlaceOfAnIdleProcess) {
  ProcessPoolExecutor pool({.max_workers = 2});
  const Future<int> endless = pool.submit({.fresh_process = true}, hold, 0);
  ASSERT_TRUE(at_the_gate(1));
  EXPECT_EQ(pool.submit(note_run, 1).result(60s), 1) << "in the other place";
  EXPECT_EQ(pool.submit({.fresh_process = true}, note_run, 2).result(20s), 2);
  EXPECT_EQ(pool.submit(note_run, 3).result(20s), 3);
  EXPECT_FALSE(endless.done());
  shared().gate = 1;
  EXPECT_EQ(endless.result(60s), 0);
}

TEST_F(WakeUpTest, AProcessThatSurvivesSigtermEndsWithItsTask) {
  for (const bool whole_pool : {false, true}) {
    reset_shared();
    ProcessPoolExecutor pool({.max_workers = 1});
    const Future<pid_t> task = pool.submit(deaf_to_sigterm);
    ASSERT_TRUE(at_the_gate(1));
    const pid_t pid = sole_worker(pool);
    if (whole_pool) {
      pool.terminate_workers();
    } else {
      EXPECT_EQ(task.stop({.highest = CancelRung::terminated, .grace = 1ms}),
                CancelRung::terminated);
    }
    EXPECT_FALSE(eventually([&] { return is_gone(pid); }, 20ms)) << "it has survived that";
    shared().gate = 1;
    EXPECT_TRUE(eventually([&] { return is_gone(pid); }, 20s)) << whole_pool;
    if (!whole_pool) {
      EXPECT_EQ(pool.submit(note_run, 1).result(60s), 1);
    }
  }
}

TEST_F(WakeUpTest, ATaskThatWasToldToStopIsNotRunAgain) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const Future<int> task = pool.submit({.retries = {.worker_lost = 5}}, deaf_to_the_token, 0);
  ASSERT_TRUE(at_the_gate(1));
  EXPECT_FALSE(task.cancel()) << "it was asked";
  ::kill(sole_worker(pool), SIGKILL);
  EXPECT_EQ(death_of(task).signal, SIGKILL);
  EXPECT_EQ(shared().runs_by_number[0].load(), 1U);
}

TEST_F(WakeUpTest, AProcessThatSpoilsItsRingIsReplaced) {
  ProcessPoolOptions options = quiet(1, 8);
  options.ring_bytes = 4096;
  ProcessPoolExecutor pool(options);
  const Future<Bytes> bad = pool.submit_raw(&spoil_the_ring, {});
  ASSERT_TRUE(at_the_gate(1));
  std::vector<Future<Bytes>> others;
  for (int i = 0; i < 8; ++i) others.push_back(pool.submit_raw(&echo, Bytes(2000, 'x')));
  EXPECT_EQ(death_of(bad).signal, SIGKILL);
  for (const auto& each : others) EXPECT_EQ(each.result(60s), Bytes(2000, 'x'));
}

}  // namespace
}  // namespace muster::test
