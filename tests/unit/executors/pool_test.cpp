#include <atomic>
#include <cstdio>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/base/cpu_count.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/futures/promise.hpp>
#include <muster/futures/wait.hpp>

#include "support.hpp"

namespace muster::test {
namespace {

ProcessPoolOptions workers(unsigned count, unsigned prefetch = 1) {
  ProcessPoolOptions options;
  options.max_workers = count;
  options.prefetch = prefetch;
  return options;
}

Bytes print_lines(TaskContext&, std::string_view) {
  std::printf("to stdout\n");
  std::fprintf(stderr, "to stderr\n");
  std::printf("no newline");
  return {};
}

Bytes context_values(TaskContext& context, std::string_view) {
  const std::uint64_t before = context.position().load();
  context.position().store(99);
  context.add_progress(5);
  return std::to_string(before) + " " + std::to_string(context.task().value);
}

Bytes standard_input(TaskContext&, std::string_view) {
  char byte = 0;
  return std::to_string(::read(STDIN_FILENO, &byte, 1));
}

Bytes open_descriptors(TaskContext&, std::string_view) {
  return std::to_string(descriptors_of(::getpid()).size());
}

Bytes make_a_pool(TaskContext&, std::string_view) {
  const ProcessPoolExecutor pool;
  return "made";
}

TEST_F(PoolTest, RunsATaskInAnotherProcess) {
  ProcessPoolExecutor pool(workers(2));
  const Future<Bytes> task = pool.submit_raw(&echo, "hello");
  EXPECT_EQ(task.result(), "hello");
  const Bytes pid = pool.submit_raw(&own_pid, {}).result();
  EXPECT_NE(pid, std::to_string(::getpid()));
}

TEST_F(PoolTest, DefaultsToTheUsableCpus) {
  const ProcessPoolExecutor pool;
  EXPECT_EQ(pool.max_workers(), usable_cpus());
  EXPECT_TRUE(pool.worker_pids().empty()) << "processes start when there is work";
}

TEST_F(PoolTest, RefusesImpossibleOptions) {
  EXPECT_THROW(ProcessPoolExecutor(workers(1, 256)), Error);
  EXPECT_THROW(ProcessPoolExecutor(workers(5000)), Error);
  ProcessPoolExecutor pool(workers(1));
  EXPECT_THROW(pool.submit_raw(nullptr, {}), Error);
}

TEST_F(PoolTest, RunsManySmallTasks) {
  for (const unsigned prefetch : {0U, 1U, 64U}) {
    ProcessPoolExecutor pool(workers(2, prefetch));
    std::vector<Future<Bytes>> futures;
    futures.reserve(10'000);
    for (int i = 0; i < 10'000; ++i) {
      futures.push_back(pool.submit_raw(&echo, std::to_string(i)));
    }
    for (int i = 0; i < 10'000; ++i) {
      ASSERT_EQ(futures[static_cast<std::size_t>(i)].result(), std::to_string(i));
    }
  }
}

TEST_F(PoolTest, ManyThreadsMaySubmit) {
  ProcessPoolExecutor pool(workers(2));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 500; ++i) {
        const Bytes argument = std::to_string(thread) + "/" + std::to_string(i);
        if (pool.submit_raw(&echo, argument).result() != argument) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_F(PoolTest, MessagesLargerThanTheRingPass) {
  ProcessPoolOptions options = workers(2);
  options.ring_bytes = 4096;
  ProcessPoolExecutor pool(options);
  Bytes argument(5'000'000, '\0');
  for (std::size_t i = 0; i < argument.size(); ++i) argument[i] = static_cast<char>(i * 31 >> 3);
  std::vector<Future<Bytes>> futures;
  futures.reserve(4);
  for (int i = 0; i < 4; ++i) futures.push_back(pool.submit_raw(&echo, argument));
  for (const auto& future : futures) EXPECT_TRUE(future.result() == argument);
  EXPECT_EQ(pool.submit_raw(&echo, "small").result(), "small");
}

Bytes large_result(TaskContext&, std::string_view size) {
  return Bytes(std::stoul(std::string(size)), 'x');
}

TEST_F(PoolTest, AMessageOverTheLimitFailsItsTaskAlone) {
  ProcessPoolOptions options = workers(1);
  options.message_bytes_max = 1000;
  ProcessPoolExecutor pool(options);
  const Future<Bytes> before = pool.submit_raw(&echo, Bytes(1000, 'x'));
  const Future<Bytes> argument = pool.submit_raw(&echo, Bytes(1001, 'x'));
  const Future<Bytes> result = pool.submit_raw(&large_result, "1001");
  const Future<Bytes> after = pool.submit_raw(&large_result, "1000");
  EXPECT_EQ(before.result().size(), 1000U);
  EXPECT_EQ(after.result().size(), 1000U);
  for (const Future<Bytes>& future : {argument, result}) {
    try {
      future.result();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::limit);
      EXPECT_NE(std::string(error.what()).find(" B, more than the limit of 1000 B"),
                std::string::npos)
          << error.what();
    }
  }
}

TEST_F(PoolTest, StartsNoMoreProcessesThanAllowedAndReusesThem) {
  ProcessPoolExecutor pool(workers(2));
  std::set<Bytes> pids;
  pids.insert(pool.submit_raw(&own_pid, {}).result());
  pids.insert(pool.submit_raw(&own_pid, {}).result());
  EXPECT_EQ(pids.size(), 1U) << "an idle process is used again";
  std::vector<Future<Bytes>> futures;
  futures.reserve(500);
  for (int i = 0; i < 500; ++i) futures.push_back(pool.submit_raw(&own_pid, {}));
  for (const auto& future : futures) pids.insert(future.result());
  EXPECT_LE(pids.size(), 2U);
  EXPECT_LE(pool.worker_pids().size(), 2U);
}

TEST_F(PoolTest, AFreshProcessRunsNothingElse) {
  ProcessPoolExecutor pool(workers(1, 4));
  std::set<Bytes> fresh;
  std::set<Bytes> ordinary;
  std::vector<Future<Bytes>> fresh_futures;
  std::vector<Future<Bytes>> ordinary_futures;
  for (int i = 0; i < 10; ++i) {
    fresh_futures.push_back(pool.submit_raw(&own_pid, {}, {.fresh_process = true}));
    ordinary_futures.push_back(pool.submit_raw(&own_pid, {}));
  }
  for (const auto& future : fresh_futures) fresh.insert(future.result());
  for (const auto& future : ordinary_futures) ordinary.insert(future.result());
  EXPECT_EQ(fresh.size(), 10U);
  for (const Bytes& pid : ordinary) EXPECT_FALSE(fresh.contains(pid));
}

TEST_F(PoolTest, APrefetchedTaskDoesNotWaitForALongOne) {
  ProcessPoolExecutor pool(workers(2, 8));
  // Both processes are busy; the eight that follow are sent ahead, four to each.
  const Future<Bytes> first = pool.submit_raw(&wait_at_gate, "0");
  const Future<Bytes> second = pool.submit_raw(&spin, {});
  ASSERT_TRUE(has_started(pool, first) && has_started(pool, second));
  std::vector<Future<Bytes>> futures;
  for (int i = 1; i <= 8; ++i) futures.push_back(pool.submit_raw(&count, std::to_string(i)));
  shared().gate = 1;
  const auto result = wait(futures, {ReturnWhen::all_completed, std::chrono::seconds(60)});
  EXPECT_EQ(result.done.size(), 8U) << "those behind the endless one were moved";
  EXPECT_EQ(shared().runs.load(), 9U);
  EXPECT_TRUE(second.cancel());
}

TEST_F(PoolTest, TheContextIsNewForEveryTask) {
  ProcessPoolExecutor pool(workers(1));
  std::set<Bytes> seen;
  for (int i = 0; i < 3; ++i) {
    const Bytes values = pool.submit_raw(&context_values, {}).result();
    EXPECT_EQ(values.substr(0, 2), "0 ") << "no position of an earlier task";
    seen.insert(values);
  }
  EXPECT_EQ(seen.size(), 3U) << "each has an id of its own";
}

TEST_F(PoolTest, ProgressCanBeSampled) {
  ProcessPoolExecutor pool(workers(1));
  const Future<Bytes> task = pool.submit_raw(&spin, {});
  ASSERT_TRUE(has_started(pool, task));
  const auto progress = pool.progress(task);
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->position, 7U);
  EXPECT_EQ(progress->progress, 3U);
  EXPECT_EQ(pool.worker_pids(), std::vector<pid_t>{progress->pid});
  EXPECT_TRUE(task.running());
  const Future<Bytes> queued = pool.submit_raw(&echo, "x");
  EXPECT_FALSE(pool.progress(queued)) << "not running";
  EXPECT_EQ(queued.state(), FutureState::dispatched);
  EXPECT_TRUE(task.cancel());
  EXPECT_FALSE(pool.progress(task));
}

TEST_F(PoolTest, OutputArrivesLineByLine) {
  std::vector<std::string> lines;
  {
    ProcessPoolOptions options = workers(1);
    options.on_output = [&](std::string_view line) { lines.emplace_back(line); };
    ProcessPoolExecutor pool(options);
    pool.submit_raw(&print_lines, {}).result();
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"to stdout", "to stderr", "no newline"}));
}

TEST_F(PoolTest, AThrowingOutputHandlerIsLogged) {
  testing::internal::CaptureStderr();
  {
    ProcessPoolOptions options = workers(1);
    options.on_output = [](std::string_view) { throw std::runtime_error("handler's fault"); };
    ProcessPoolExecutor pool(options);
    pool.submit_raw(&print_lines, {}).result();
  }
  EXPECT_NE(testing::internal::GetCapturedStderr().find("handler's fault"), std::string::npos);
}

TEST_F(PoolTest, TaskProcessesHoldOnlyWhatTheyNeed) {
  ProcessPoolExecutor pool(workers(2));
  // stdin, stdout, stderr, the eventfd, and the directory being read.
  EXPECT_EQ(pool.submit_raw(&open_descriptors, {}).result(), "6");
  EXPECT_EQ(pool.submit_raw(&standard_input, {}).result(), "0");
}

TEST_F(PoolTest, ATaskProcessMakesNoPools) {
  EXPECT_FALSE(in_task_process());
  ProcessPoolExecutor pool(workers(1));
  EXPECT_THROW(pool.submit_raw(&make_a_pool, {}).result(), Error);
}

TEST_F(PoolTest, CallbacksMayUseThePool) {
  ProcessPoolExecutor pool(workers(1));
  Promise<Bytes> second;
  const Future<Bytes> chained = second.future();
  pool.submit_raw(&echo, "a").add_done_callback([&](const Future<Bytes>& first) {
    pool.submit_raw(&echo, first.result() + "b").add_done_callback([&](const Future<Bytes>& last) {
      second.set_value(last.result());
    });
  });
  EXPECT_EQ(chained.result(), "ab");
}

TEST_F(PoolTest, PoolsLiveSideBySide) {
  ProcessPoolExecutor one(workers(1));
  {
    ProcessPoolExecutor two(workers(2));
    EXPECT_EQ(two.submit_raw(&echo, "two").result(), "two");
    EXPECT_EQ(one.submit_raw(&echo, "one").result(), "one");
  }
  EXPECT_EQ(one.submit_raw(&echo, "still").result(), "still");
}

}  // namespace
}  // namespace muster::test
