// Futures of real executors in every state: items 23 to 43.
#include <atomic>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/muster.hpp>

#include "contract.hpp"
#include "support/proc.hpp"
#include "tasks.hpp"

namespace muster::conformance {
namespace {

using namespace std::chrono_literals;

/// One future in each state, of an executor with one worker.
class FutureStates : public ExecutorContract {
 protected:
  void SetUp() override {
    ExecutorContract::SetUp();
    executor = make(1);
    good = executor->submit(twice, 2);
    bad = executor->submit(fails_on_three, 3);
    ASSERT_TRUE(good.wait(60s) && bad.wait(60s));
    running = executor->submit(pass_gate, 7);
    ASSERT_TRUE(at_gate(1));
    // From a cluster the news takes some milliseconds.
    if (kind().is_cluster) {
      ASSERT_TRUE(eventually([this] { return running.running(); }));
    }
    waiting = executor->submit(count, 1);
    cancelled = executor->submit(count, 2);
    ASSERT_TRUE(cancelled.cancel());
  }

  Future<int> good;
  Future<int> bad;
  Future<int> running;
  Future<int> waiting;
  Future<int> cancelled;
};
MUSTER_CONTRACT_ON_ALL_KINDS(FutureStates);

TEST_P(FutureStates, AreAsked) {
  covers({33, 34, 35});
  for (const auto& each : {good, bad}) {
    EXPECT_TRUE(each.done());
    EXPECT_FALSE(each.cancelled() || each.running());
  }
  EXPECT_TRUE(running.running());
  EXPECT_FALSE(running.done() || running.cancelled());
  EXPECT_FALSE(waiting.running() || waiting.done() || waiting.cancelled());
  EXPECT_TRUE(cancelled.cancelled() && cancelled.done());
  EXPECT_FALSE(cancelled.running());
}

TEST_P(FutureStates, HaveNames) {
  covers({31});
  EXPECT_EQ(to_string(good.state()), "finished");
  EXPECT_EQ(to_string(running.state()), "running");
  EXPECT_EQ(to_string(cancelled.state()), "cancelled");
  const std::string name(to_string(waiting.state()));
  EXPECT_TRUE(name == "pending" || name == "dispatched") << name;
}

TEST_P(FutureStates, ResultPolls) {
  covers({36});
  EXPECT_EQ(good.result(0s), 4);
  EXPECT_THROW(bad.result(0s), std::exception);
  EXPECT_THROW(running.result(0s), TimeoutError);
  EXPECT_THROW(waiting.result(0s), TimeoutError);
  EXPECT_THROW(cancelled.result(0s), CancelledError);
}

TEST_P(FutureStates, ExceptionPolls) {
  covers({39});
  EXPECT_EQ(good.exception(0s), nullptr);
  EXPECT_NE(error_text(bad.exception(0s)).find("three"), std::string::npos);
  EXPECT_THROW(static_cast<void>(running.exception(0s)), TimeoutError);
  EXPECT_THROW(static_cast<void>(waiting.exception(0s)), TimeoutError);
  EXPECT_THROW(static_cast<void>(cancelled.exception(0s)), CancelledError);
}

TEST_P(FutureStates, AreCancelledWhereThatCanBe) {
  covers({32});
  EXPECT_FALSE(good.cancel());
  EXPECT_FALSE(bad.cancel());
  EXPECT_TRUE(cancelled.cancel()) << "cancelled already";
  EXPECT_TRUE(waiting.cancel());
  EXPECT_EQ(running.cancel(), kind().kills_running);
  EXPECT_EQ(running.cancelled(), kind().kills_running);
  // A cluster's worker hears of it a little later; of this call, after that.
  if (kind().is_cluster) {
    EXPECT_EQ(executor->submit(twice, 4).result(60s), 8);
  }
  shared().gate = 1;
  if (!kind().kills_running) {
    EXPECT_EQ(running.result(60s), 7);
  }
  executor->shutdown();
  EXPECT_EQ(shared().runs, 1U) << "what was cancelled never ran";
}

TEST_P(FutureStates, ResultBlocksUntilItIsThere) {
  covers({37});
  std::thread opener([] {
    EXPECT_TRUE(eventually(test::other_threads_sleep)) << "the one that waits, too";
    shared().gate = 1;
  });
  EXPECT_EQ(running.result(60s), 7);
  EXPECT_EQ(waiting.result(60s), 1);
  opener.join();
}

TEST_P(FutureStates, CancellationWakesWhoWaits) {
  covers({38});
  std::thread canceller([this] {
    EXPECT_TRUE(eventually(test::other_threads_sleep));
    EXPECT_TRUE(waiting.cancel());
  });
  EXPECT_THROW(waiting.result(60s), CancelledError);
  canceller.join();
}

TEST_P(FutureStates, ExceptionBlocksAndWakes) {
  covers({40});
  const Future<int> fails = executor->submit(fails_on_three, 3);
  std::thread opener([] {
    EXPECT_TRUE(eventually(test::other_threads_sleep));
    shared().gate = 1;
  });
  EXPECT_NE(error_text(fails.exception(60s)).find("three"), std::string::npos);
  opener.join();
}

TEST_P(FutureStates, CallbacksSeeEveryKindOfEnd) {
  covers({23, 24, 25});
  std::atomic<int> value = 0;
  std::atomic<bool> failed = false;
  std::atomic<int> cancellations = 0;
  running.add_done_callback([&](const Future<int>& done) { value = done.result(); });
  const Future<int> fails = executor->submit(fails_on_three, 3);
  fails.add_done_callback([&](const Future<int>& done) { failed = done.exception() != nullptr; });
  waiting.add_done_callback([&](const Future<int>& done) { cancellations += done.cancelled(); });
  EXPECT_TRUE(waiting.cancel());
  EXPECT_EQ(cancellations, 1) << "before cancel() returns";
  shared().gate = 1;
  executor->shutdown();  // callbacks may come after the result, but not after the end
  EXPECT_EQ(value, 7);
  EXPECT_TRUE(failed);
}

TEST_P(FutureStates, AThrowingCallbackIsLoggedAndTheNextRuns) {
  covers({26});
  std::vector<int> order;
  running.add_done_callback([&] { order.push_back(1); });
  running.add_done_callback([] { throw std::runtime_error("a callback's fault"); });
  running.add_done_callback([&] { order.push_back(3); });
  testing::internal::CaptureStderr();
  shared().gate = 1;
  executor->shutdown();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(order, (std::vector{1, 3}));
  EXPECT_NE(log.find("a callback's fault"), std::string::npos) << log;
}

TEST_P(FutureStates, CallbacksOfWhatIsDoneRunAtOnce) {
  covers({27, 28, 29});
  std::vector<std::thread::id> threads;
  for (const auto& each : {good, bad, cancelled}) {
    each.add_done_callback([&] { threads.push_back(std::this_thread::get_id()); });
  }
  EXPECT_EQ(threads, std::vector(3, std::this_thread::get_id()));
}

TEST_P(FutureStates, AnImmediateCallbackThatThrowsIsLogged) {
  covers({30});
  testing::internal::CaptureStderr();
  EXPECT_NO_THROW(good.add_done_callback([] { throw std::runtime_error("at once"); }));
  EXPECT_NE(testing::internal::GetCapturedStderr().find("at once"), std::string::npos);
}

TEST_P(FutureStates, SnapshotsAreConsistent) {
  covers({43});
  shared().gate = 1;
  executor = make(2);
  constexpr int rounds = 1000;
  std::vector<Future<int>> futures;
  for (int i = 0; i < rounds; ++i) futures.push_back(executor->submit(twice, i));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        const Future<int>& future = futures[static_cast<std::size_t>(i)];
        const FutureState first = future.state();
        const FutureState second = future.state();
        const bool was_done = first == FutureState::finished;
        if (first == FutureState::cancelled || (was_done && second != first)) ++wrong;
        if (was_done && future.result(0s) != 2 * i) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(FutureStates, ThenAndCoroutinesGoOn) {
  shared().gate = 1;
  EXPECT_EQ(executor->submit(twice, 2).then([](int x) { return x + 1; }).result(60s), 5);
  const auto sum = [](Executor& on) -> Future<int> {
    const int a = co_await on.submit(twice, 1);
    const int b = co_await on.submit(twice, a);
    co_return a + b;
  };
  EXPECT_EQ(sum(*executor).result(60s), 6);
}

}  // namespace
}  // namespace muster::conformance
