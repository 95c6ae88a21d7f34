// wait and as_completed over real executors: items 44 to 57.
#include <array>
#include <chrono>
#include <list>
#include <set>
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

class Waiting : public ExecutorContract {
 protected:
  ~Waiting() override { shared().gate = 1; }  // before the other executor ends

  /// Waits at the gate, in an executor of its own.
  Future<int> gated(int number) {
    if (other_ == nullptr) other_ = make(4);
    return other_->submit(pass_gate, number);
  }

  // Futures of different executors may be mixed: this is one of a thread pool.
  Future<int> of_a_thread(int x) { return threads_.submit(twice, x); }

  static Future<int> cancelled() {
    const Promise<int> promise;
    promise.future().cancel();
    return promise.future();
  }

 private:
  ThreadPoolExecutor threads_{{.max_workers = 1}};
  std::unique_ptr<Executor> other_;
};
MUSTER_CONTRACT_ON_ALL_KINDS(Waiting);

TEST_P(Waiting, GivesADuplicateOnce) {
  covers({44});
  const Future<int> one = executor->submit(twice, 1);
  const auto result = wait(std::array{one, one, one});
  EXPECT_EQ(result.done.size(), 1U);
  EXPECT_TRUE(result.not_done.empty());
}

TEST_P(Waiting, FirstCompletedReturnsWithOne) {
  covers({45, 46});
  const std::array futures{gated(0), executor->submit(twice, 1), gated(2)};
  const WaitOptions options{ReturnWhen::first_completed, 60s};
  EXPECT_EQ(wait(futures, options).done, std::vector{futures[1]});
  const auto again = wait(futures, options);
  EXPECT_EQ(again.done, std::vector{futures[1]}) << "done already";
  EXPECT_EQ(again.not_done, (std::vector{futures[0], futures[2]}));
}

TEST_P(Waiting, FirstExceptionWaitsThroughSuccesses) {
  covers({47, 48, 49});
  const std::array futures{executor->submit(twice, 1), of_a_thread(2),
                           executor->submit(fails_on_three, 3), gated(4)};
  const WaitOptions options{ReturnWhen::first_exception, 60s};
  const auto first = wait(futures, options);
  EXPECT_TRUE(futures[2].done() && !futures[3].done());
  EXPECT_FALSE(first.not_done.empty());
  ASSERT_TRUE(futures[0].wait(60s) && futures[1].wait(60s));
  const auto again = wait(futures, options);
  EXPECT_EQ(again.done.size(), 3U) << "one has failed already";

  // Neither successes nor cancellations end it.
  const std::array fine{executor->submit(twice, 1), gated(2), cancelled()};
  fine[0].result();
  EXPECT_EQ(wait(fine, {ReturnWhen::first_exception, 50ms}).not_done, std::vector{fine[1]});
}

TEST_P(Waiting, AllCompletedTakesEveryKindOfEnd) {
  covers({50});
  const Future<int> held = gated(0);
  std::vector<Future<int>> futures{executor->submit(twice, 1), executor->submit(fails_on_three, 3),
                                   of_a_thread(2), held};
  executor->shutdown();
  ThreadPoolExecutor blocked({.max_workers = 1});
  const Future<int> blocker = blocked.submit(pass_gate, 1);
  futures.push_back(blocked.submit(twice, 9));
  std::thread ender([&] {
    futures[4].cancel();
    shared().gate = 1;
  });
  const auto result = wait(futures, {.timeout = 60s});
  ender.join();
  EXPECT_EQ(result.done, futures);
  EXPECT_TRUE(result.not_done.empty());
}

TEST_P(Waiting, ATimeoutReturnsThePartition) {
  covers({51});
  const std::array futures{executor->submit(twice, 1), gated(2)};
  futures[0].result();
  for (const Duration timeout : {Duration(0s), Duration(20ms)}) {
    const auto result = wait(futures, {.timeout = timeout});
    EXPECT_EQ(result.done, std::vector{futures[0]});
    EXPECT_EQ(result.not_done, std::vector{futures[1]});
  }
}

TEST_P(Waiting, LosesNoWakeupOfManyAtOnce) {
  covers({52});
  for (int round = 0; round < 20; ++round) {
    std::vector<Future<int>> futures;
    for (int i = 0; i < 100; ++i) futures.push_back(executor->submit(twice, i));
    EXPECT_EQ(wait(futures, {.timeout = 60s}).done.size(), 100U);
  }
}

TEST_P(Waiting, AsCompletedGivesEveryState) {
  covers({53});
  const Future<int> good = executor->submit(twice, 1);
  const Future<int> bad = executor->submit(fails_on_three, 3);
  ASSERT_TRUE(good.wait(60s) && bad.wait(60s));
  const Future<int> late = gated(5);
  ASSERT_TRUE(at_gate(1));
  const Future<int> never = cancelled();
  std::vector<Future<int>> seen;
  for (const auto& each : as_completed(std::array{late, bad, never, good, of_a_thread(1)}, 60s)) {
    if (each == bad || each == good || each == never) seen.push_back(each);
    if (seen.size() == 3) shared().gate = 1;
    if (each == late) {
      EXPECT_EQ(seen.size(), 3U) << "those that were done come first";
    }
  }
  EXPECT_EQ(seen, (std::vector{bad, never, good})) << "in the order given";
  EXPECT_TRUE(late.done());
}

TEST_P(Waiting, ACancellationIsSeenAtOnceByWhoWaits) {
  covers({53});
  executor = make(1);
  const Future<int> runs = executor->submit(pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  for (const bool by_wait : {false, true}) {
    const Future<int> queued = executor->submit(twice, 1);
    std::thread canceller([&] {
      EXPECT_TRUE(eventually(test::other_threads_sleep));
      EXPECT_TRUE(queued.cancel());
    });
    if (by_wait) {
      const std::array both{runs, queued};
      const auto seen = wait(both, {ReturnWhen::first_completed, 60s});
      EXPECT_EQ(seen.done, std::vector{queued});
    } else {
      auto completed = as_completed(std::array{runs, queued}, 60s);
      EXPECT_EQ(*completed.begin(), queued);
    }
    canceller.join();
  }
  shared().gate = 1;
}

TEST_P(Waiting, AsCompletedInTimeGivesOnlyWhatIsDone) {
  covers({54, 57});
  for (const Duration timeout : {Duration(0s), Duration(100ms)}) {
    const std::array futures{executor->submit(twice, 1), gated(2), executor->submit(twice, 3),
                             gated(4)};
    futures[0].result();
    futures[2].result();
    std::vector<Future<int>> seen;
    try {
      for (const auto& each : as_completed(futures, timeout)) seen.push_back(each);
      ADD_FAILURE() << "no timeout";
    } catch (const TimeoutError& error) {
      EXPECT_STREQ(error.what(), "2 (of 4) futures unfinished");
    }
    EXPECT_EQ(seen, (std::vector{futures[0], futures[2]}));
  }
}

TEST_P(Waiting, AsCompletedGivesDuplicatesOnceOfAnyRange) {
  covers({55});
  std::list<Future<int>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(executor->submit(twice, i));
  futures.push_back(futures.front());
  int sum = 0;
  int seen = 0;
  for (const auto& each : as_completed(futures, 60s)) {
    sum += each.result();
    ++seen;
  }
  EXPECT_EQ(seen, 100);
  EXPECT_EQ(sum, 9900);
}

TEST_P(Waiting, AsCompletedKeepsNothingItHasLeftBehind) {
  covers({56});
  std::vector<Future<std::string>> futures;
  for (int i = 0; i < 10; ++i) {
    futures.push_back(
        executor->submit([](int n) { return std::string(100, 'x') + std::to_string(n); }, i));
  }
  executor->shutdown();
  auto completed = as_completed(futures);
  std::vector<std::string> seen;
  for (auto& each : completed) {
    std::erase(futures, each);
    // The last handle: its state, and so its value, goes with it.
    seen.push_back(std::move(each).result());
    EXPECT_THROW(each.result(0s), InvalidStateError) << "moved out: it was the last one";
  }
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), 10U);
}

}  // namespace
}  // namespace muster::conformance
