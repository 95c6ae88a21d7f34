// The queue behind a thread pool: nothing is lost or doubled, whoever pushes and whenever.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/executors/call_task.hpp>
#include <muster/executors/threads/injection_queue.hpp>

namespace muster::detail {
namespace {

constexpr std::size_t few_segments = 4;
constexpr std::size_t cells = InjectionQueue::segment_cells;

// What a task pushed here is told apart by: its priority, which the queue does not look at.
TaskPtr numbered(int number) {
  TaskPtr task = make_task([] {}).first;
  task->priority = number;
  return task;
}

bool push(InjectionQueue& queue, int number) {
  TaskPtr task = numbered(number);
  const bool pushed = queue.push(task);
  EXPECT_EQ(static_cast<bool>(task), !pushed);
  return pushed;
}

// The number of the next task; -1 if there is none.
int pop(InjectionQueue& queue) {
  TaskBase* task = nullptr;
  if (queue.pop(&task, 1) == 0) return -1;
  return TaskPtr(task)->priority;
}

TEST(InjectionQueue, KeepsTheOrderThroughManyRoundsOfItsTable) {
  InjectionQueue queue(few_segments);
  int pushed = 0;
  int popped = 0;
  for (int round = 0; round < 100; ++round) {
    for (std::size_t i = 0; i < cells - 7; ++i) ASSERT_TRUE(push(queue, pushed++));
    EXPECT_EQ(queue.size(), cells - 7);
    for (std::size_t i = 0; i < cells - 7; ++i) ASSERT_EQ(pop(queue), popped++);
    ASSERT_EQ(pop(queue), -1);
    EXPECT_EQ(queue.size(), 0U);
  }
  EXPECT_EQ(queue.first_number(), static_cast<std::uint64_t>(pushed));
}

TEST(InjectionQueue, PassesGapsAndNumbersThem) {
  InjectionQueue queue(few_segments);
  push(queue, 0);
  EXPECT_EQ(queue.push_gap(), 1U);
  EXPECT_EQ(queue.push_gap(), 2U);
  push(queue, 3);
  EXPECT_EQ(queue.push_gap(), 4U);
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(pop(queue), 0);
  EXPECT_EQ(queue.first_number(), 3U);
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(pop(queue), 3);
  EXPECT_EQ(pop(queue), -1);
  EXPECT_EQ(queue.first_number(), 5U);
  EXPECT_EQ(queue.size(), 0U);
}

TEST(InjectionQueue, GivesSeveralAtOnceInOrder) {
  InjectionQueue queue(few_segments);
  for (int i = 0; i < 10; ++i) push(queue, i);
  std::array<TaskBase*, 8> batch{};
  EXPECT_EQ(queue.pop(batch.data(), batch.size()), 8U);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(TaskPtr(batch[static_cast<std::size_t>(i)])->priority, i);
  EXPECT_EQ(queue.pop(batch.data(), batch.size()), 2U);
  EXPECT_EQ(TaskPtr(batch[0])->priority, 8);
  EXPECT_EQ(TaskPtr(batch[1])->priority, 9);
}

TEST(InjectionQueue, RefusesWhatDoesNotFitAndGoesOn) {
  InjectionQueue queue(few_segments);
  int pushed = 0;
  bool refused = false;
  while (!refused && pushed < static_cast<int>(few_segments * cells)) {
    TaskPtr task = numbered(pushed);
    try {
      ASSERT_TRUE(queue.push(task));
      ++pushed;
    } catch (const Error& error) {
      refused = true;
      EXPECT_EQ(error.code(), ErrorCode::limit);
      EXPECT_TRUE(static_cast<bool>(task));
    }
  }
  EXPECT_TRUE(refused);
  EXPECT_GE(pushed, static_cast<int>((few_segments - 2) * cells));
  for (int i = 0; i < pushed; ++i) ASSERT_EQ(pop(queue), i);
  EXPECT_EQ(pop(queue), -1);
  EXPECT_TRUE(push(queue, 1));
  EXPECT_EQ(pop(queue), 1);
}

TEST(InjectionQueue, ManyProducersLoseNothingAndKeepTheirOrder) {
  constexpr int producers = 4;
  constexpr int each = 30'000;
  InjectionQueue queue;
  std::vector<std::thread> threads;
  for (int producer = 0; producer < producers; ++producer) {
    threads.emplace_back([&queue, producer] {
      for (int i = 0; i < each; ++i) push(queue, i * producers + producer);
    });
  }
  std::array<int, producers> next{};
  for (int taken = 0; taken < producers * each;) {
    const int number = pop(queue);
    if (number == -1) {
      std::this_thread::yield();
      continue;
    }
    ++taken;
    ASSERT_EQ(number / producers, next[static_cast<std::size_t>(number % producers)]++);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pop(queue), -1);
  EXPECT_EQ(queue.size(), 0U);
}

TEST(InjectionQueue, WhatIsPushedBeforeTheEndIsThereAndNothingElse) {
  constexpr int producers = 3;
  for (int round = 0; round < 50; ++round) {
    InjectionQueue queue;
    std::atomic<int> pushed{0};
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (int producer = 0; producer < producers; ++producer) {
      threads.emplace_back([&] {
        ++ready;
        while (push(queue, 0)) ++pushed;
      });
    }
    while (ready != producers || pushed < 10 * round) std::this_thread::yield();
    queue.close();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(queue.size(), static_cast<std::size_t>(pushed));
    int popped = 0;
    while (pop(queue) != -1) ++popped;
    EXPECT_EQ(popped, pushed);
    EXPECT_EQ(queue.size(), 0U);
  }
}

TEST(InjectionQueue, FreesWhatIsLeft) {
  const auto held = std::make_shared<int>(0);
  {
    InjectionQueue queue;
    for (std::size_t i = 0; i < cells + 3; ++i) {
      TaskPtr task = make_task([held] {}).first;
      ASSERT_TRUE(queue.push(task));
    }
    EXPECT_EQ(held.use_count(), static_cast<long>(cells + 4));
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace muster::detail
