#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/executors/process_pool.hpp>
#include <muster/futures/promise.hpp>
#include <muster/futures/wait.hpp>

#include "support.hpp"

namespace muster::test {
namespace {

class ShutdownTest : public PoolTest {};

TEST_F(ShutdownTest, RunsWhatWasSubmitted) {
  std::vector<Future<Bytes>> futures;
  {
    ProcessPoolExecutor pool({.max_workers = 2});
    for (int i = 0; i < 50; ++i) futures.push_back(pool.submit_raw(&count, "1"));
  }
  EXPECT_EQ(shared().runs.load(), 50U);
  for (const auto& future : futures) EXPECT_EQ(future.result(Duration::zero()), "1");
}

TEST_F(ShutdownTest, TakesNothingMore) {
  ProcessPoolExecutor pool({.max_workers = 1});
  pool.shutdown();
  pool.shutdown();
  EXPECT_THROW(pool.submit_raw(&echo, "x"), Error);
  const char* const not_sendable = nullptr;
  try {
    pool.submit([](const char*) {}, not_sendable);
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::broken);
  }
  EXPECT_TRUE(pool.worker_pids().empty());
}

TEST_F(ShutdownTest, WithoutWaitReturnsAtOnce) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const Future<Bytes> running = pool.submit_raw(&wait_at_gate, "0");
  ASSERT_TRUE(has_started(pool, running));
  const Future<Bytes> queued = pool.submit_raw(&count, "1");
  pool.shutdown(false);
  EXPECT_FALSE(running.done());
  shared().gate = 1;
  EXPECT_EQ(running.result(), "0");
  EXPECT_EQ(queued.result(), "1");
}

TEST_F(ShutdownTest, CancelPendingLetsOnlyStartedTasksFinish) {
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 3});
  const Future<Bytes> running = pool.submit_raw(&wait_at_gate, "0");
  ASSERT_TRUE(has_started(pool, running));
  std::vector<Future<Bytes>> waiting;
  waiting.reserve(10);
  for (int i = 0; i < 10; ++i) waiting.push_back(pool.submit_raw(&count, "1"));
  pool.shutdown(false, true);
  for (const auto& future : waiting) EXPECT_TRUE(future.cancelled());
  shared().gate = 1;
  pool.shutdown();
  EXPECT_EQ(running.result(), "0");
  EXPECT_EQ(shared().runs.load(), 1U);
}

TEST_F(ShutdownTest, DestructionWaitsForRunningTasks) {
  Future<Bytes> future;
  std::thread opener;
  {
    ProcessPoolExecutor pool({.max_workers = 2});
    const Future<Bytes> task = pool.submit_raw(&wait_at_gate, "3");
    future = task;
    ASSERT_TRUE(has_started(pool, task));
    opener = std::thread([] { shared().gate = 1; });
  }
  opener.join();
  EXPECT_EQ(future.result(Duration::zero()), "3");
}

TEST_F(ShutdownTest, APoolThatDidNothingEnds) {
  for (int i = 0; i < 20; ++i) ProcessPoolExecutor pool({.max_workers = 2});
}

TEST_F(ShutdownTest, SubmitAndCancelThenShutdownDoesNotHang) {
  for (int i = 0; i < 20; ++i) {
    ProcessPoolExecutor pool({.max_workers = 1});
    EXPECT_TRUE(pool.submit_raw(&spin, {}).cancel());
    pool.submit_raw(&spin, {}, {.fresh_process = true}).cancel();
  }
}

TEST_F(ShutdownTest, ACallbackCannotWaitForItsOwnPool) {
  ProcessPoolExecutor pool({.max_workers = 1});
  Promise<void> tried;
  const Future<void> outcome = tried.future();
  const Future<Bytes> task = pool.submit_raw(&wait_at_gate, "0");
  task.add_done_callback([&] {
    try {
      pool.shutdown(true);
      tried.set_value();
    } catch (...) {
      tried.set_exception(std::current_exception());
    }
  });
  shared().gate = 1;
  EXPECT_THROW(outcome.result(), Error);
}

}  // namespace
}  // namespace muster::test
