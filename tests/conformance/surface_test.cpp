// The surface as it is promised: every line stands as a user would write it.
#include <chrono>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include <muster/muster.hpp>

namespace {

using namespace std::chrono_literals;

int square(int x) { return x * x; }

muster::Future<int> awaited(muster::Future<int> f) { co_return co_await f + 1; }

TEST(Surface, CompilesAsItStands) {
  muster::ThreadPoolExecutor threads({.max_workers = 2, .thread_name_prefix = "io"});
  muster::ProcessPoolExecutor processes({.max_workers = 2, .max_tasks_per_child = 1000});
  muster::Future<int> f = threads.submit(square, 7);
  int v = f.result(60s);
  EXPECT_EQ(v, 49);

  std::vector<int> squares;
  for (int x : processes.map(square, std::vector{1, 2, 3}, {.chunk_size = 100})) {
    squares.push_back(x);
  }
  EXPECT_EQ(squares, (std::vector{1, 4, 9}));

  std::vector<muster::Future<int>> futures;
  for (int i = 0; i < 5; ++i) futures.push_back(processes.submit(square, i));
  auto [done, not_done] =
      muster::wait(futures, {.return_when = muster::ReturnWhen::first_completed, .timeout = 60s});
  EXPECT_FALSE(done.empty());
  EXPECT_EQ(done.size() + not_done.size(), 5U);
  int sum = 0;
  for (auto& each : muster::as_completed(futures, 60s)) sum += each.result();
  EXPECT_EQ(sum, 30);

  auto g = f.then([](int n) { return n + 1; });
  EXPECT_EQ(g.result(60s), 50);
  EXPECT_EQ(awaited(f).result(60s), 50);

  muster::RetryingExecutor retrying(
      threads, {.attempts_max = 3, .delay = 10ms, .backoff = 2.0, .jitter = 0.1});
  muster::RateLimitedExecutor limited(retrying, {.per_second = 5, .burst = 5});
  EXPECT_EQ(limited.submit(square, 4).result(60s), 16);

  std::size_t seen = 0;
  std::size_t reported = 0;
  for (auto& each : muster::track(futures, [&](const muster::Progress& p) { reported = p.done; })) {
    if (each.done()) ++seen;
  }
  EXPECT_EQ(seen, 5U);
  EXPECT_EQ(reported, 5U);

  muster::Executor& any = processes;
  EXPECT_EQ(any.submit(square, 3).result(60s), 9);
}

}  // namespace
