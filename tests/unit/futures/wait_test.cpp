#include <chrono>
#include <list>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/futures/promise.hpp>
#include <muster/futures/wait.hpp>

namespace muster {
namespace {

using std::chrono::milliseconds;
using Futures = std::vector<Future<int>>;

TEST(Wait, ReturnsADuplicateOnce) {  // 44
  Promise<int> promise;
  promise.set_value(1);
  const auto result = wait(Futures{promise.future(), promise.future(), promise.future()});
  EXPECT_EQ(result.done.size(), 1U);
  EXPECT_TRUE(result.not_done.empty());
}

TEST(Wait, TakesAnyRangeAndNone) {
  Promise<int> promise;
  promise.set_value(1);
  EXPECT_EQ(wait(std::list<Future<int>>{promise.future()}).done.size(), 1U);
  EXPECT_TRUE(wait(Futures{}).done.empty());
}

TEST(Wait, FirstCompletedReturnsWithOne) {  // 45
  Promise<int> slow;
  Promise<int> fast;
  const Futures futures{slow.future(), fast.future()};
  std::thread setter([&] { fast.set_value(1); });
  const auto result = wait(futures, {ReturnWhen::first_completed, {}});
  setter.join();
  EXPECT_EQ(result.done, Futures{futures[1]});
  EXPECT_EQ(result.not_done, Futures{futures[0]});
}

TEST(Wait, FirstCompletedReturnsAtOnceIfSomeAreDone) {  // 46
  const Promise<int> open;
  const Promise<int> cancelled;
  cancelled.future().cancel();
  const auto result =
      wait(Futures{open.future(), cancelled.future()}, {ReturnWhen::first_completed, {}});
  EXPECT_EQ(result.done, Futures{cancelled.future()});
}

TEST(Wait, FirstExceptionWaitsThroughSuccesses) {  // 47, 48
  std::vector<Promise<int>> promises(4);
  Futures futures;
  for (const auto& promise : promises) futures.push_back(promise.future());
  futures[3].cancel();  // cancelled is not failed
  std::thread setter([&] {
    promises[0].set_value(0);
    promises[1].set_exception(std::runtime_error("x"));
  });
  const auto result = wait(futures, {ReturnWhen::first_exception, {}});
  setter.join();
  EXPECT_EQ(result.done, (Futures{futures[0], futures[1], futures[3]}));
  EXPECT_EQ(result.not_done, Futures{futures[2]});
}

TEST(Wait, FirstExceptionReturnsAtOnceIfOneHasFailed) {  // 49
  const Promise<int> open;
  Promise<int> failed;
  failed.set_exception(std::runtime_error("x"));
  const auto result =
      wait(Futures{open.future(), failed.future()}, {ReturnWhen::first_exception, {}});
  EXPECT_EQ(result.not_done, Futures{open.future()});
}

TEST(Wait, FirstExceptionWithoutAnyIsAll) {
  Promise<int> one;
  Promise<int> two;
  one.set_value(1);
  std::thread setter([&] { two.set_value(2); });
  const auto result = wait(Futures{one.future(), two.future()}, {ReturnWhen::first_exception, {}});
  setter.join();
  EXPECT_EQ(result.done.size(), 2U);
}

TEST(Wait, AllCompletedTakesEveryKindOfEnd) {  // 50
  Promise<int> value;
  Promise<int> error;
  const Promise<int> cancelled;
  const Futures futures{value.future(), error.future(), cancelled.future()};
  std::thread setter([&] {
    value.set_value(1);
    error.set_exception(std::runtime_error("x"));
    futures[2].cancel();
  });
  const auto result = wait(futures);
  setter.join();
  EXPECT_EQ(result.done, futures);
  EXPECT_TRUE(result.not_done.empty());
}

TEST(Wait, ATimeoutReturnsThePartition) {  // 51
  const Promise<int> open;
  Promise<int> finished;
  finished.set_value(1);
  for (const Duration timeout : {Duration::zero(), Duration(milliseconds(5))}) {
    const auto result =
        wait(Futures{open.future(), finished.future()}, {ReturnWhen::all_completed, timeout});
    EXPECT_EQ(result.done, Futures{finished.future()});
    EXPECT_EQ(result.not_done, Futures{open.future()});
  }
}

TEST(Wait, LosesNoWakeupOfManyAtOnce) {  // 52
  for (int round = 0; round < 50; ++round) {
    std::vector<Promise<int>> promises(100);
    Futures futures;
    for (const auto& promise : promises) futures.push_back(promise.future());
    std::vector<std::thread> setters;
    for (std::size_t part = 0; part < 4; ++part) {
      setters.emplace_back([&promises, part] {
        for (std::size_t i = part; i < promises.size(); i += 4) {
          if (i % 10 == 0) {
            promises[i].future().cancel();
          } else {
            promises[i].set_value(1);
          }
        }
      });
    }
    const auto result = wait(futures, {ReturnWhen::all_completed, std::chrono::seconds(60)});
    for (std::thread& setter : setters) setter.join();
    ASSERT_EQ(result.done.size(), 100U);
  }
}

TEST(Wait, CancellationEndsIt) {
  const Promise<int> promise;
  const Future<int> future = promise.future();
  std::thread canceller([&] { future.cancel(); });
  EXPECT_EQ(wait(Futures{future}).done.size(), 1U);
  canceller.join();
}

}  // namespace
}  // namespace muster
