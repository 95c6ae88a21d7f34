#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include <muster/executors/thread_pool.hpp>
#include <muster/futures/promise.hpp>
#include <muster/patterns/track.hpp>

namespace muster {
namespace {

using namespace std::chrono_literals;
using Futures = std::vector<Future<int>>;

Future<int> done_with(int value) {
  Promise<int> promise;
  promise.set_value(value);
  return promise.future();
}

/// Keeps what it was told.
struct Reports {
  std::vector<Progress> all;

  void operator()(const Progress& progress) { all.push_back(progress); }
  std::vector<std::size_t> done() const {
    std::vector<std::size_t> out;
    for (const Progress& each : all) out.push_back(each.done);
    return out;
  }
};

using Counts = std::vector<std::size_t>;

TEST(Track, ReportsStartEveryCompletionAndEnd) {
  Reports reports;
  std::vector<int> values;
  const Futures futures{done_with(1), done_with(2), done_with(3)};
  for (const auto& each : track(futures, std::ref(reports), {.interval = 0ms})) {
    values.push_back(each.result());
    EXPECT_EQ(reports.all.back().done, values.size());
    EXPECT_FALSE(reports.all.back().ended);
  }
  EXPECT_EQ(values, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(reports.done(), (Counts{0, 1, 2, 3, 3}));
  EXPECT_TRUE(reports.all.back().ended);
  EXPECT_EQ(reports.all.back().fraction, 1.0);
}

TEST(Track, ReportsNoMoreOftenThanTheInterval) {
  Reports reports;
  int sum = 0;
  for (const auto& each : track(Futures{done_with(1), done_with(2)}, std::ref(reports),
                                {.interval = std::chrono::hours(1)})) {
    sum += each.result();
  }
  EXPECT_EQ(sum, 3);
  EXPECT_EQ(reports.done(), (Counts{0, 2}));
}

TEST(Track, ReportsStartAndEndOfNothing) {
  Reports reports;
  for (const auto& each : track(Futures{}, std::ref(reports))) ADD_FAILURE() << each.result();
  EXPECT_EQ(reports.done(), (Counts{0, 0}));
  EXPECT_FALSE(reports.all[0].ended);
  EXPECT_TRUE(reports.all[1].ended);
}

TEST(Track, ReportsWhileNothingCompletes) {
  Promise<int> promise;
  int calls = 0;
  int values = 0;
  const auto callback = [&](const Progress& now) {
    EXPECT_EQ(now.done, calls <= 5 ? 0U : 1U);
    if (++calls == 5) promise.set_value(7);  // but for these calls, it would wait for ever
  };
  for (const auto& each : track(Futures{promise.future()}, callback, {.interval = 1ms})) {
    values += each.result();
    calls = 6;
  }
  EXPECT_EQ(values, 7);
}

TEST(Track, CountsFailedAndCancelled) {
  Promise<int> failed;
  failed.set_exception(std::runtime_error("x"));
  const Promise<int> cancelled;
  cancelled.future().cancel();
  Reports reports;
  std::size_t given = 0;
  for ([[maybe_unused]] auto& each :
       track(Futures{failed.future(), done_with(1), cancelled.future()}, std::ref(reports))) {
    ++given;
  }
  EXPECT_EQ(given, 3U);
  const Progress& last = reports.all.back();
  EXPECT_EQ(last.done, 3U);
  EXPECT_EQ(last.failed, 1U);
  EXPECT_EQ(last.cancelled, 1U);
}

TEST(Track, KeepsTheOrderAndTheDuplicatesOfAsCompleted) {  // 53, 55
  std::vector<Promise<int>> open(2);
  const Futures futures{open[0].future(), done_with(1), open[1].future(), open[0].future()};
  Reports reports;
  Futures given;
  for (const auto& each : track(futures, std::ref(reports), {.interval = 0ms})) {
    given.push_back(each);
    if (given.size() == 1) {
      open[1].set_value(2);
      open[0].set_value(3);
    }
  }
  EXPECT_EQ(given, (Futures{futures[1], futures[2], futures[0]}));
  EXPECT_EQ(reports.all.front().total, 3U);
}

TEST(Track, TakesMoreWhileIterating) {
  Reports reports;
  auto tracked = track(Futures{done_with(1)}, std::ref(reports), {.interval = 0ms, .total = 3});
  int sum = 0;
  for (const auto& each : tracked) {
    sum += each.result();
    if (each.result() < 4) tracked.add(done_with(each.result() + 1));
  }
  EXPECT_EQ(sum, 1 + 2 + 3 + 4);
  EXPECT_EQ(reports.done(), (Counts{0, 1, 2, 3, 4, 4}));
  EXPECT_EQ(reports.all[1].total, 3U);  // expected
  EXPECT_EQ(reports.all[4].total, 4U);  // more than that
}

TEST(Track, WeighsFuturesInTheirOrder) {
  std::vector<Promise<int>> open(2);
  open[1].set_value(1);
  const Futures futures{open[0].future(), open[0].future(), open[1].future()};
  Reports reports;
  auto tracked = track(futures, std::ref(reports), {.weights = {10, 0, 30}, .interval = 0ms});
  for (const auto& each : tracked) {
    if (each == futures[2]) {
      tracked.add(done_with(1), 60);
      open[0].set_value(1);
    }
  }
  std::vector<std::uint64_t> weights;
  for (const Progress& each : reports.all) weights.push_back(each.weight_done);
  EXPECT_EQ(weights, (std::vector<std::uint64_t>{0, 30, 90, 100, 100}));
  EXPECT_EQ(reports.all.front().weight_total, 40U);
  EXPECT_EQ(reports.all.back().weight_total, 100U);
}

TEST(Track, LeftEarlyTheLastReportComesAllTheSame) {
  Reports reports;
  for (const auto& each :
       track(Futures{done_with(1), done_with(2)}, std::ref(reports), {.interval = 0ms})) {
    if (each.result() == 1) break;
  }
  EXPECT_EQ(reports.done(), (Counts{0, 1, 1}));
  EXPECT_TRUE(reports.all.back().ended);
  EXPECT_EQ(reports.all.back().fraction, 0.5);
}

TEST(Track, MovedOrNeverIteratedItReportsOnce) {
  Reports reports;
  { const auto never = track(Futures{done_with(1)}, std::ref(reports)); }
  EXPECT_TRUE(reports.all.empty());
  {
    auto first = track(Futures{done_with(1)}, std::ref(reports), {.interval = 0ms});
    auto second = std::move(first);
    for (const auto& each : second) EXPECT_EQ(each.result(), 1);
  }
  EXPECT_EQ(reports.done(), (Counts{0, 1, 1}));
}

TEST(Track, ATimeoutIsThatOfAsCompletedAfterALastReport) {  // 54, 57
  const Promise<int> open;
  Reports reports;
  auto tracked = track(Futures{open.future(), done_with(1)}, std::ref(reports),
                       {.interval = 0ms, .timeout = 0ms});
  int given = 0;
  try {
    for ([[maybe_unused]] auto& each : tracked) ++given;
    ADD_FAILURE() << "no timeout";
  } catch (const TimeoutError& error) {
    EXPECT_STREQ(error.what(), "1 (of 2) futures unfinished");
  }
  EXPECT_EQ(given, 1);
  EXPECT_EQ(reports.done(), (Counts{0, 1, 1}));
  EXPECT_TRUE(reports.all.back().ended);
}

TEST(Track, ATimeoutIsNoticedBetweenReports) {
  const Promise<int> open;
  Reports reports;
  auto tracked =
      track(Futures{open.future()}, std::ref(reports), {.interval = 1ms, .timeout = 20ms});
  EXPECT_THROW(tracked.begin(), TimeoutError);
  EXPECT_GE(reports.all.back().elapsed, 20ms);
}

TEST(Track, WhatTheCallbackThrowsGoesToTheConsumer) {
  int calls = 0;
  int given = 0;
  const auto callback = [&](const Progress& now) {
    ++calls;
    if (now.done == 2) throw std::runtime_error("enough");
  };
  try {
    for ([[maybe_unused]] auto& each :
         track(Futures{done_with(1), done_with(2)}, callback, {.interval = 0ms})) {
      ++given;
    }
    ADD_FAILURE() << "not thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "enough");
  }
  EXPECT_EQ(given, 1);
  EXPECT_EQ(calls, 3);  // not again after it threw
}

TEST(Track, WhatTheCallbackThrowsAfterTheLoopIsLogged) {
  ::testing::internal::CaptureStderr();
  for (const auto& each : track(Futures{done_with(1), done_with(2)}, [](const Progress& now) {
         if (now.ended) throw std::runtime_error("too late");
       })) {
    if (each.done()) break;
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "muster: a progress callback threw: too late\n");
}

TEST(Track, RefusesWhatCannotBeMeant) {
  const auto callback = [](const Progress&) {};
  const Futures futures{done_with(1), done_with(2)};
  try {
    static_cast<void>(track(futures, callback, {.weights = {1, 2, 3}}));
    ADD_FAILURE() << "three weights taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_STREQ(error.what(), "track: 3 weights for 2 futures");
  }
  EXPECT_THROW(static_cast<void>(track(futures, callback, {.interval = -1ns})), Error);
}

TEST(Track, TakesMoveOnlyCallbacksAndFuturesOfNothing) {
  Promise<void> promise;
  promise.set_value();
  const std::vector<Future<void>> futures{promise.future()};
  int calls = 0;
  auto counter = [calls = std::make_unique<int*>(&calls)](const Progress&) { ++**calls; };
  for (auto& each : track(futures, std::move(counter), {.interval = 0ms})) each.result();
  EXPECT_EQ(calls, 3);
}

TEST(Track, FollowsAThreadPool) {
  ThreadPoolExecutor pool({.max_workers = 2});
  Futures futures;
  for (int i = 0; i < 1000; ++i) futures.push_back(pool.submit([i] { return i; }));
  Reports reports;
  int sum = 0;
  for (const auto& each : track(futures, std::ref(reports), {.interval = 0ms})) {
    sum += each.result();
  }
  EXPECT_EQ(sum, 499'500);
  EXPECT_EQ(reports.all.size(), 1002U);
  EXPECT_EQ(reports.all.back().done, 1000U);
}

TEST(Track, FollowsTasksOfThePoolWhoseOnlyThreadIteratesIt) {
  ThreadPoolExecutor pool({.max_workers = 1});
  auto outer = pool.submit([&pool] {
    Futures futures;
    for (int i = 0; i < 10; ++i) futures.push_back(pool.submit([i] { return i; }));
    int sum = 0;
    for (const auto& each : track(futures, [](const Progress&) {}, {.interval = 1ms})) {
      sum += each.result();
    }
    return sum;
  });
  EXPECT_EQ(outer.result(60s), 45);
}

}  // namespace
}  // namespace muster
