// The cancel ladder: one call, which returns the rung that ended the work.
#include <csignal>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

#include <muster/executors/process_pool.hpp>
#include <muster/executors/thread_pool.hpp>

#include "support.hpp"

namespace muster::test {
namespace {

using namespace std::chrono_literals;

class LadderTest : public PoolTest {};

int until_asked(std::stop_token stop) {
  shared().at_gate.fetch_add(1);
  while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);  // bounded poll
  return 7;
}

int for_ever() {
  shared().at_gate.fetch_add(1);
  for (volatile bool forever = true; forever;) {
  }
  return 0;
}

int deaf_for_ever() {
  std::signal(SIGTERM, SIG_IGN);
  return for_ever();
}

int once() {
  shared().runs.fetch_add(1);
  return 1;
}

bool one_runs() {
  return eventually([] { return shared().at_gate.load() == 1; });
}

TEST_F(LadderTest, OnProcesses) {
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 1});
  const Future<int> asked = pool.submit(until_asked);
  ASSERT_TRUE(one_runs());
  const Future<int> sent = pool.submit(once);
  const Future<int> queued = pool.submit(once);
  EXPECT_EQ(queued.stop(), CancelRung::withdrawn);
  EXPECT_EQ(sent.stop(), CancelRung::recalled);
  EXPECT_TRUE(queued.cancelled() && sent.cancelled());
  EXPECT_EQ(asked.stop({.grace = 60s}), CancelRung::stop_requested);
  EXPECT_EQ(asked.result(), 7) << "it ended by itself, so what it returned counts";
  EXPECT_EQ(asked.stop(), CancelRung::none);
  EXPECT_EQ(shared().runs.load(), 0U);
}

TEST_F(LadderTest, ARunningProcessGetsTermThenKill) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const Future<int> first = pool.submit(for_ever);
  ASSERT_TRUE(one_runs());
  EXPECT_EQ(first.stop({.grace = 60s}), CancelRung::terminated);
  EXPECT_THROW(first.result(), CancelledError);
  shared().at_gate = 0;
  const Future<int> second = pool.submit(deaf_for_ever);
  ASSERT_TRUE(one_runs());
  EXPECT_EQ(second.stop({.grace = 10ms}), CancelRung::killed);
  EXPECT_TRUE(second.cancelled());
  EXPECT_EQ(pool.submit(once).result(), 1) << "the process was replaced";
}

TEST_F(LadderTest, GoesNoHigherThanItMay) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const Future<int> running = pool.submit(for_ever);
  ASSERT_TRUE(one_runs());
  EXPECT_EQ(running.stop({.highest = CancelRung::stop_requested, .grace = 1ms}), CancelRung::none);
  EXPECT_TRUE(running.running());
  EXPECT_TRUE(running.cancel());
}

TEST_F(LadderTest, OnThreads) {
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<int> asked = pool.submit(until_asked);
  ASSERT_TRUE(one_runs());
  const Future<int> queued = pool.submit(once);
  EXPECT_EQ(queued.stop(), CancelRung::withdrawn);
  EXPECT_EQ(asked.stop({.grace = 60s}), CancelRung::stop_requested);
  EXPECT_EQ(asked.result(), 7);
}

TEST_F(LadderTest, AThreadThatTakesNoTokenCannotBeEnded) {
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<Bytes> running = pool.submit([] {
    shared().at_gate.fetch_add(1);
    eventually([] { return shared().gate.load() != 0; });
    return Bytes("done");
  });
  ASSERT_TRUE(one_runs());
  EXPECT_EQ(running.stop({.grace = 1ms}), CancelRung::none);
  shared().gate = 1;
  EXPECT_EQ(running.result(), "done");
}

}  // namespace
}  // namespace muster::test
