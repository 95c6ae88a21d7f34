// The futures contract, on every executor. The numbers are explained in docs/conformance.md.
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/muster.hpp>

namespace muster {
namespace {

using namespace std::chrono_literals;

int power(int base, int exponent) {
  int out = 1;
  for (int i = 0; i < exponent; ++i) out *= base;
  return out;
}
int twice(int x) { return 2 * x; }
int fails_on_three(int x) {
  if (x == 3) throw std::invalid_argument("three");
  return x;
}
int throws_timeout(int x) {
  if (x == 1) throw TimeoutError("of the task's own");
  return x;
}

struct Case {
  std::string name;
  std::function<std::unique_ptr<Executor>(unsigned workers)> make;
};

class ExecutorContract : public ::testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<Executor> executor = GetParam().make(2);
};

INSTANTIATE_TEST_SUITE_P(All, ExecutorContract,
                         ::testing::Values(Case{"threads",
                                                [](unsigned workers) {
                                                  return std::make_unique<ThreadPoolExecutor>(
                                                      ThreadPoolOptions{.max_workers = workers});
                                                }}),
                         [](const auto& made) { return made.param.name; });

template <class Results>
auto collected(Results&& results) {
  std::vector<typename std::decay_t<Results>::iterator::value_type> out;
  for (auto& each : results) out.push_back(std::move(each));
  return out;
}

std::vector<int> numbers(int count) {
  std::vector<int> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

TEST_P(ExecutorContract, RunsWhatIsSubmitted) {  // 1
  EXPECT_EQ(executor->submit(power, 2, 8).result(), 256);
}

TEST_P(ExecutorContract, PassesArgumentsOnUnchanged) {  // 2
  const auto join = [](std::string a, const std::string& b, int n) {
    return a + b + std::to_string(n);
  };
  EXPECT_EQ(executor->submit(join, "a", std::string("b"), 3).result(), "ab3");
}

TEST_P(ExecutorContract, MapGoesToTheEndOfTheShortest) {  // 4
  const std::vector<int> two{2, 3};
  EXPECT_EQ(collected(executor->map(power, two, std::vector{10, 2, 7, 8})), (std::vector{1024, 9}));
  EXPECT_EQ(collected(executor->map([](int a, int b, int c) { return a + b + c; }, two, two,
                                    std::list{1, 1, 1})),
            (std::vector{5, 7}));
}

TEST_P(ExecutorContract, ChunkAndBufferSizesDoNotChangeResults) {  // 5, 13, 14, 84
  const std::vector<int> inputs = numbers(50);
  std::vector<int> expected;
  for (const int each : inputs) expected.push_back(2 * each);
  for (const int chunk : {1, 2, 6, 40, 50, 1000}) {
    for (const int buffer : {1, 2, 50, 100}) {
      const MapOptions options{.chunk_size = chunk, .buffer_size = buffer};
      EXPECT_EQ(collected(executor->map(twice, inputs, options)), expected) << chunk << buffer;
      EXPECT_EQ(collected(executor->map(std::plus<>(), inputs, inputs, options)), expected);
    }
  }
  EXPECT_EQ(collected(executor->map(twice, inputs)), expected);
}

TEST_P(ExecutorContract, SizesBelowOneAreRefused) {  // 11, 12, 84
  for (const int size : {0, -1}) {
    EXPECT_THROW(static_cast<void>(executor->map(twice, numbers(3), {.chunk_size = size})), Error);
    EXPECT_THROW(static_cast<void>(executor->map(twice, numbers(3), {.buffer_size = size})), Error);
  }
}

TEST_P(ExecutorContract, AFailureInAMapIsAtItsPlace) {  // 6, 7
  for (const int chunk : {1, 3}) {
    auto results = executor->map(fails_on_three, numbers(6), {.chunk_size = chunk});
    std::vector<std::string> seen;
    for (auto at = results.begin(); at != results.end(); ++at) {
      try {
        seen.push_back(std::to_string(*at));
      } catch (const std::exception& error) {
        seen.emplace_back(error.what());
      }
    }
    ASSERT_EQ(seen.size(), 6U);
    EXPECT_NE(seen[3].find("three"), std::string::npos) << seen[3];
    seen.erase(seen.begin() + 3);
    EXPECT_EQ(seen, (std::vector<std::string>{"0", "1", "2", "4", "5"}));
  }
}

TEST_P(ExecutorContract, ATimeoutErrorOfATaskIsNotTheMaps) {  // 8
  auto results = executor->map(throws_timeout, numbers(3), {.timeout = 60s, .chunk_size = 1});
  auto at = results.begin();
  EXPECT_EQ(*at, 0);
  ++at;
  EXPECT_THROW(static_cast<void>(*at), Error);
  ++at;
  EXPECT_EQ(*at, 2);
}

TEST_P(ExecutorContract, MapOfNothingGivesNothing) {  // 16
  EXPECT_TRUE(collected(executor->map(twice, std::vector<int>())).empty());
}

TEST_P(ExecutorContract, FuturesEndInEveryWay) {  // 36, 39, 53
  const Future<int> good = executor->submit(twice, 2);
  const Future<int> bad = executor->submit(fails_on_three, 3);
  EXPECT_EQ(good.result(60s), 4);
  EXPECT_EQ(good.exception(), nullptr);
  EXPECT_THROW(bad.result(60s), std::exception);
  EXPECT_NE(bad.exception(), nullptr);
  EXPECT_TRUE(good.done() && bad.done());
  EXPECT_FALSE(good.cancel());
}

TEST_P(ExecutorContract, EachFailureIsAnObjectOfItsOwn) {  // 83
  const Future<int> a = executor->submit(fails_on_three, 3);
  const Future<int> b = executor->submit(fails_on_three, 3);
  EXPECT_NE(a.exception(), b.exception());
}

TEST_P(ExecutorContract, WaitAndAsCompletedSeeAll) {  // 50, 55
  std::vector<Future<int>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(executor->submit(twice, i));
  futures.push_back(futures.front());
  EXPECT_EQ(wait(futures).done.size(), 100U);
  int sum = 0;
  for (const auto& each : as_completed(futures, 60s)) sum += each.result();
  EXPECT_EQ(sum, 9900);
}

TEST_P(ExecutorContract, ThenAndCoroutinesGoOn) {
  EXPECT_EQ(executor->submit(twice, 2).then([](int x) { return x + 1; }).result(60s), 5);
  const auto sum = [](Executor& on) -> Future<int> {
    const int a = co_await on.submit(twice, 1);
    const int b = co_await on.submit(twice, a);
    co_return a + b;
  };
  EXPECT_EQ(sum(*executor).result(60s), 6);
}

TEST_P(ExecutorContract, SubmitAfterShutdownIsRefused) {  // 68
  executor->shutdown();
  EXPECT_THROW(executor->submit(twice, 1), Error);
  EXPECT_THROW(static_cast<void>(executor->map(twice, numbers(3))), Error);
}

TEST_P(ExecutorContract, WhatWasSubmittedRunsAfterShutdown) {  // 71, 76, 77, 78
  std::vector<Future<int>> futures;
  for (int i = 0; i < 50; ++i) futures.push_back(executor->submit(twice, i));
  executor->shutdown(false);
  executor.reset();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(0s), 2 * i);
}

TEST_P(ExecutorContract, CancelledAndShutDownWithoutAHang) {  // 74
  const Future<int> future = executor->submit(twice, 1);
  future.cancel();
  executor->shutdown(true, true);
  EXPECT_TRUE(future.done());
}

TEST_P(ExecutorContract, TenThousandTasksEach) {
  std::vector<Future<int>> futures;
  for (int i = 0; i < 10'000; ++i) futures.push_back(executor->submit(twice, i));
  long sum = 0;
  for (const auto& each : futures) sum += each.result(60s);
  EXPECT_EQ(sum, 99'990'000);
}

}  // namespace
}  // namespace muster
