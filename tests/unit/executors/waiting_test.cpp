#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/executors/process_pool.hpp>
#include <muster/executors/thread_pool.hpp>
#include <muster/futures/as_completed.hpp>
#include <muster/futures/promise.hpp>
#include <muster/futures/wait.hpp>

#include "support.hpp"
#include "support/gate.hpp"
#include "support/process_pools.hpp"

// Threads that wait for process pools: they take replies themselves, and must miss nothing.

namespace muster::test {
namespace {

using namespace std::chrono_literals;

int unchanged(int value) { return value; }
int past_gate(int number) {
  stay_at_gate();
  return number;
}
int run_counted(int number) {
  ++shared().runs_by_number[number];
  return number;
}
void open_gate() { shared().gate = 1; }

bool at_gate(std::uint64_t count) {
  return eventually([count] { return shared().at_gate == count; });
}

class WaitingTest : public PoolTest {};

TEST_F(WaitingTest, ManyThreadsWaitForTheirOwn) {
  ProcessPoolExecutor pool({.max_workers = 2});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 6; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 500; ++i) {
        const Future<int> future = pool.submit(unchanged, thread * 1000 + i);
        // Some wait in slices, so that leaders come and go.
        while (thread % 2 == 0 && !future.wait(std::chrono::microseconds(i % 50 + 1))) {
        }
        if (!future.wait(60s) || future.result() != thread * 1000 + i) ++wrong;
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_F(WaitingTest, ATimeoutIsKeptWhileResultsArrive) {
  ProcessPoolExecutor pool({.max_workers = 2});
  const Future<int> slow = pool.submit(past_gate, 1);
  ASSERT_TRUE(at_gate(1));
  std::vector<Future<int>> others;
  for (int i = 0; i < 2000; ++i) others.push_back(pool.submit(unchanged, i));
  int timeouts = 0;
  while (timeouts < 20) {
    EXPECT_THROW(slow.result(1ms), TimeoutError);
    ++timeouts;
  }
  shared().gate = 1;
  EXPECT_EQ(slow.result(60s), 1);
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i)].result(60s), i);
}

TEST_F(WaitingTest, CallbacksDoNotWaitForTheLeader) {
  ProcessPoolExecutor pool({.max_workers = 2});
  for (int round = 0; round < 20; ++round) {
    shared().gate = 0;
    shared().at_gate = 0;
    const Future<int> slow = pool.submit(past_gate, 1);
    ASSERT_TRUE(at_gate(1));
    pool.submit(unchanged, 2).add_done_callback(&open_gate);
    ASSERT_TRUE(slow.wait(60s)) << "the callback was to open its gate";
  }
}

TEST_F(WaitingTest, CallbacksMaySubmitAgainAndAgain) {
  ProcessPoolExecutor pool({.max_workers = 2});
  Promise<int> last;
  const Future<int> end = last.future();
  std::function<void(const Future<int>&)> go_on = [&](const Future<int>& done) {
    const int value = done.result();
    if (value == 200) {
      last.set_value(value);
    } else {
      pool.submit(unchanged, value + 1).add_done_callback(go_on);
    }
  };
  pool.submit(unchanged, 1).add_done_callback(go_on);
  EXPECT_EQ(end.result(60s), 200);
  pool.shutdown();
}

TEST_F(WaitingTest, ThePoolEndsThoughALeaderTookTheLastReply) {
  for (int round = 0; round < 20; ++round) {
    shared().gate = 0;
    shared().at_gate = 0;
    Promise<void> ended;
    const Future<void> has_ended = ended.future();
    ProcessPoolExecutor pool({.max_workers = 1});
    const Future<int> task = pool.submit(past_gate, round);
    ASSERT_TRUE(at_gate(1));
    pool.shutdown(false);
    std::thread waits([&] { EXPECT_EQ(task.result(60s), round); });
    std::thread ends([&] {
      pool.shutdown();
      ended.set_value();
    });
    EXPECT_TRUE(eventually(other_threads_sleep));
    shared().gate = 1;
    const bool in_time = has_ended.wait(60s);
    EXPECT_TRUE(in_time) << "the pool's thread sleeps for ever";
    if (!in_time) pool.kill_workers();
    waits.join();
    ends.join();
    if (!in_time) return;
  }
}

TEST_F(WaitingTest, AnyThreadMayEndThePoolAgain) {
  ProcessPoolExecutor pool({.max_workers = 1});
  EXPECT_EQ(pool.submit(unchanged, 1).result(), 1);
  pool.shutdown();
  for (int i = 0; i < 4; ++i) {  // one of them is likely to get the id of the pool's thread
    std::thread([&] { EXPECT_NO_THROW(pool.shutdown()); }).join();
  }
}

TEST_F(WaitingTest, ATaskThatWasCancelledBeforeItCameIsDropped) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const Future<int> busy = pool.submit(past_gate, 1);
  for (const bool queued : {true, false}) {
    if (!queued) {
      shared().gate = 1;
      EXPECT_EQ(busy.result(60s), 1);
    }
    auto [task, future] = detail::make_task(run_counted, 0);
    EXPECT_TRUE(future.cancel());
    pool.execute(std::move(task));
    EXPECT_TRUE(future.cancelled());
  }
  pool.shutdown();
  EXPECT_EQ(shared().runs_by_number[0].load(), 0U);
}

TEST_F(WaitingTest, ALeaderWakesWhenItsTaskIsCancelled) {
  ProcessPoolExecutor pool(quiet(2));
  for (int round = 0; round < 50; ++round) {
    const Future<int> task = pool.submit(past_gate, 1);
    std::thread waits([&] { EXPECT_THROW(task.result(60s), CancelledError); });
    const bool races = round % 2 != 0;
    EXPECT_TRUE(races || eventually(other_threads_sleep));
    EXPECT_TRUE(task.cancel());
    waits.join();
  }
}

TEST_F(WaitingTest, ALeaderMissesNoEndThatThePumpTells) {
  // Deaths are told by the pool's thread; the leader is about to go to sleep meanwhile.
  ProcessPoolExecutor pool(quiet(2));
  for (int round = 0; round < 100; ++round) {
    const Future<void> task = pool.submit([] { ::raise(SIGKILL); });
    ASSERT_TRUE(task.wait(60s)) << round;
    EXPECT_THROW(task.result(), WorkerDiedError);
  }
  // Results are taken by either, at the same time.
  std::atomic<bool> enough = false;
  std::thread keeps_busy([&] {
    while (!enough) {
      const std::vector both{pool.submit(unchanged, 1), pool.submit(unchanged, 2)};
      EXPECT_TRUE(wait(both, {ReturnWhen::all_completed, 60s}).not_done.empty());
    }
  });
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(pool.submit(unchanged, i).wait(60s)) << i;
  enough = true;
  keeps_busy.join();
}

TEST_F(WaitingTest, FuturesOfBothPoolsMayBeMixed) {  // 44, 50, 55
  ThreadPoolExecutor threads({.max_workers = 2});
  ProcessPoolExecutor processes({.max_workers = 2});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 200; ++i) {
    futures.push_back(i % 2 == 0 ? threads.submit(unchanged, i) : processes.submit(unchanged, i));
  }
  const std::size_t count = futures.size();
  futures.push_back(futures.front());
  int sum = 0;
  std::size_t given = 0;
  for (const auto& each : as_completed(futures, 60s)) {
    sum += each.result();
    ++given;
  }
  EXPECT_EQ(given, count);
  EXPECT_EQ(sum, 199 * 200 / 2);
  EXPECT_EQ(wait(futures, {ReturnWhen::all_completed, 60s}).done.size(), count);
}

TEST_F(WaitingTest, ACallbackMayNotWaitForItsOwnPool) {
  ProcessPoolExecutor pool({.max_workers = 1});
  ProcessPoolExecutor other({.max_workers = 1});
  const auto in_callback = [&pool](const std::function<void()>& action) {
    reset_shared();
    Promise<bool> refused;
    const Future<bool> future = refused.future();
    pool.submit(past_gate, 0).add_done_callback([&] {
      try {
        action();
        refused.set_value(false);
      } catch (const DeadlockError&) {
        refused.set_value(true);
      }
    });
    EXPECT_TRUE(at_gate(1));
    open_gate();
    return future.result(60s);
  };
  EXPECT_TRUE(in_callback([&] { pool.submit(unchanged, 1).result(); }));
  EXPECT_TRUE(in_callback([&] {
    wait(std::vector{pool.submit(unchanged, 1), pool.submit(unchanged, 2)});
  }));
  EXPECT_FALSE(in_callback([&] { other.submit(unchanged, 1).result(); })) << "of another pool";
  EXPECT_EQ(pool.submit(unchanged, 3).result(60s), 3) << "it works on";
}

// Both results arrive while the pool's thread is busy, so it has the second one when the callback
// of the first asks for that.
TEST_F(WaitingTest, ACallbackFindsWhatArrivedWithItsDone) {
  Gate busy;
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 8});
  pool.submit(unchanged, 0).add_done_callback([&busy] { busy.pass(); });
  busy.await(1);
  const Future<int> first = pool.submit(run_counted, 1);
  const Future<int> second = pool.submit(run_counted, 2);
  Promise<int> found;
  const Future<int> future = found.future();
  first.add_done_callback([&] { found.set_value(second.done() ? second.result() : -1); });
  const Future<int> third = pool.submit(run_counted, 3);
  ASSERT_TRUE(eventually([] { return shared().runs_by_number[3] == 1; })) << "both have answered";
  busy.open();
  EXPECT_EQ(future.result(60s), 2);
}

TEST_F(WaitingTest, AThreadOfAPoolWaitsForAProcess) {
  ThreadPoolExecutor threads({.max_workers = 2});
  ProcessPoolExecutor processes({.max_workers = 2});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 100; ++i) {
    futures.push_back(
        threads.submit([&, i] { return processes.submit(unchanged, i).result() + 1; }));
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(60s), i + 1);
}

TEST_F(WaitingTest, FuturesWhosePoolsAreGoneCanBeWaitedForAnywhere) {
  std::vector<Future<int>> futures;
  {
    ProcessPoolExecutor processes({.max_workers = 1});
    ThreadPoolExecutor threads({.max_workers = 1});
    for (int i = 0; i < 10; ++i) futures.push_back(processes.submit(unchanged, i));
    for (int i = 0; i < 10; ++i) futures.push_back(threads.submit(unchanged, i));
  }
  ThreadPoolExecutor pool({.max_workers = 1});
  const Future<std::size_t> done = pool.submit([&] {
    std::size_t count = 0;
    for (const auto& each : as_completed(futures)) count += each.done() ? 1U : 0U;
    return count + wait(futures).done.size();
  });
  EXPECT_EQ(done.result(60s), 40U);
}

TEST_F(WaitingTest, APoolMayEndWhileOthersWaitAndCancel) {
  for (int round = 0; round < 20; ++round) {
    std::optional<ProcessPoolExecutor> pool(std::in_place, quiet(2));
    std::vector<Future<int>> futures;
    for (int i = 0; i < 100; ++i) futures.push_back(pool->submit(run_counted, i));
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < 3; ++thread) {
      threads.emplace_back([&, thread] {
        for (std::size_t i = thread; i < futures.size(); i += 3) {
          if (thread == 2 && i % 4 == 0) futures[i].cancel();
          EXPECT_TRUE(futures[i].wait(60s));
        }
      });
    }
    pool.reset();
    for (const auto& each : futures) EXPECT_TRUE(each.done());
    for (std::thread& each : threads) each.join();
  }
}

TEST_F(WaitingTest, RandomKillsAreAccountedFor) {  // 82, 94
  constexpr unsigned numbers = 200;
  const TimePoint end = Clock::now() + 4s;
  std::mt19937 random(7);
  std::uint64_t deaths = 0;
  std::uint64_t rounds = 0;
  for (; Clock::now() < end; ++rounds) {
    const unsigned retries = rounds % 2 == 0 ? 0 : 2;
    for (auto& runs : shared().runs_by_number) runs = 0;
    ProcessPoolExecutor pool(quiet(2));
    std::atomic<unsigned> callbacks = 0;
    std::vector<Future<int>> futures;
    std::atomic<bool> done = false;
    std::thread killer([&, seed = random()] {
      std::mt19937 own(seed);
      for (unsigned seen = 0; !done;
           std::this_thread::sleep_for(500us)) {  // slow on purpose: their pace
        // Only while tasks come to an end: a hundred processes that die at once break the pool.
        const unsigned ended = callbacks;
        const std::vector<pid_t> pids = pool.worker_pids();
        if (pids.empty() || std::exchange(seen, ended) == ended) continue;
        ::kill(pids[own() % pids.size()], SIGKILL);
      }
    });
    for (unsigned i = 0; i < numbers; ++i) {
      futures.push_back(
          pool.submit({.retries = {.worker_lost = retries}}, run_counted, static_cast<int>(i)));
      futures.back().add_done_callback([&] { ++callbacks; });
    }
    for (unsigned i = 0; i < numbers; ++i) {
      ASSERT_TRUE(futures[i].wait(60s)) << i;
      const std::uint64_t runs = shared().runs_by_number[i];
      EXPECT_LE(runs, 1 + retries) << i;
      try {
        EXPECT_EQ(futures[i].result(), static_cast<int>(i));
        EXPECT_GE(runs, 1U);
      } catch (const WorkerDiedError& error) {
        EXPECT_EQ(error.death().deaths, 1 + retries);
        ++deaths;
      }
    }
    done = true;
    killer.join();
    pool.shutdown();
    EXPECT_EQ(callbacks.load(), numbers);
  }
  RecordProperty("rounds", static_cast<int>(rounds));
  RecordProperty("deaths", static_cast<int>(deaths));
}

}  // namespace
}  // namespace muster::test
