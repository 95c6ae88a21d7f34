#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/executors/timer.hpp>

namespace muster::detail {
namespace {

using namespace std::chrono_literals;

TEST(Timer, CallsInTheOrderOfTimeAndThenOfAdding) {
  std::vector<int> called;
  std::promise<void> all;
  std::promise<void> go;
  Timer timer;
  const TimePoint now = Clock::now();
  timer.call_at(now, [&] { go.get_future().wait(); });  // until the others are there
  timer.call_at(now + 3ns, [&] {
    called.push_back(3);
    all.set_value();
  });
  timer.call_at(now + 1ns, [&] { called.push_back(1); });
  timer.call_at(now + 2ns, [&] { called.push_back(2); });
  timer.call_at(now + 1ns, [&] { called.push_back(11); });
  go.set_value();
  all.get_future().wait();
  EXPECT_EQ(called, (std::vector<int>{1, 11, 2, 3}));
}

TEST(Timer, AnEarlierOneIsNotHeldUpByALaterOne) {
  std::promise<void> called;
  Timer timer;
  timer.call_at(Clock::now() + 10h, [] {});
  timer.call_at(Clock::now(), [&] { called.set_value(); });
  called.get_future().wait();
}

TEST(Timer, WhatIsCancelledIsFreedAtOnceAndNeverCalled) {
  Timer timer;
  auto held = std::make_shared<int>(1);
  const TimerEntry entry = timer.call_at(Clock::now() + 10h, [held] { ++*held; });
  EXPECT_EQ(held.use_count(), 2);
  EXPECT_TRUE(timer.cancel(entry));
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(*held, 1);
  EXPECT_FALSE(timer.cancel(entry));
  EXPECT_FALSE(timer.cancel(TimerEntry()));
}

TEST(Timer, CannotCancelWhatIsBeingCalled) {
  std::promise<void> inside;
  std::promise<void> leave;
  Timer timer;
  const TimerEntry entry = timer.call_at(Clock::now(), [&] {
    inside.set_value();
    leave.get_future().wait();
  });
  inside.get_future().wait();
  EXPECT_FALSE(timer.cancel(entry));
  leave.set_value();
}

TEST(Timer, NothingIsCalledAfterItsEnd) {
  auto held = std::make_shared<std::atomic<int>>(0);
  {
    Timer timer;
    timer.call_at(Clock::now() + 10h, [held] { ++*held; });
  }
  EXPECT_EQ(*held, 0);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Timer, MayBeUsedByWhatItCalls) {
  std::promise<bool> second;
  Timer timer;
  EXPECT_FALSE(Timer::is_current_thread());
  timer.call_at(Clock::now(), [&] {
    timer.call_at(Clock::now(), [&] { second.set_value(Timer::is_current_thread()); });
  });
  EXPECT_TRUE(second.get_future().get());
}

TEST(Timer, AForkedChildHasOneOfItsOwn) {
  auto called = std::make_shared<std::promise<void>>();
  Timer::of_this_process().call_at(Clock::now(), [called] { called->set_value(); });
  called->get_future().wait();
  const Timer* const before = &Timer::of_this_process();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(&Timer::of_this_process() == before ? 1 : 0);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(&Timer::of_this_process(), before);
}

}  // namespace
}  // namespace muster::detail
