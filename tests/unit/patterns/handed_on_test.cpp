// Decorators that are shut down just when one of their tasks is on its way to the inner executor.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <muster/patterns/rate_limited.hpp>
#include <muster/patterns/retrying.hpp>

#include "support.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;

// Passes tasks on, each when its gate is open.
class HoldingUp final : public Executor {
 public:
  explicit HoldingUp(Executor& to) : to_(&to) {}
  void execute(detail::TaskPtr task) override {
    gates.at(passed_++).pass();
    to_->execute(std::move(task));
  }
  void shutdown(bool wait, bool cancel_pending) override { to_->shutdown(wait, cancel_pending); }
  unsigned max_workers() const noexcept override { return to_->max_workers(); }

  std::array<Gate, 2> gates;

 private:
  Executor* to_;
  std::atomic<std::size_t> passed_ = 0;
};

TEST(HandedOn, ShutdownCancelsWhatARateLimiterLetsOutJustNow) {
  ThreadPoolExecutor threads({.max_workers = 1});
  HoldingUp holding_up(threads);
  RateLimitedExecutor limited(holding_up, {.per_second = 100, .burst = 1});
  std::atomic<int> calls = 0;
  const std::jthread first([&] { limited.submit([&] { ++calls; }); });
  holding_up.gates[0].await(1);
  const Future<void> future = limited.submit([&] { ++calls; });
  holding_up.gates[0].open();  // the other thread lets it out, or the timer's
  holding_up.gates[1].await(1);
  limited.shutdown(false, true);
  EXPECT_TRUE(future.cancelled());
  EXPECT_FALSE(limited.drain(Duration::zero()));  // the inner executor may not go yet
  holding_up.gates[1].open();
  limited.shutdown();
  threads.shutdown();
  EXPECT_EQ(calls, 1);
}

TEST(HandedOn, ShutdownCancelsWhatIsRetriedJustNow) {
  ThreadPoolExecutor threads({.max_workers = 1});
  HoldingUp holding_up(threads);
  holding_up.gates[0].open();
  RetryingExecutor retrying(holding_up, {.delay = 1ms});
  std::atomic<int> calls = 0;
  const Future<void> future = retrying.submit([&] {
    ++calls;
    throw std::runtime_error("again");
  });
  holding_up.gates[1].await(1);
  retrying.shutdown(false, true);
  EXPECT_TRUE(future.cancelled());
  EXPECT_FALSE(retrying.drain(Duration::zero()));
  holding_up.gates[1].open();
  retrying.shutdown();
  threads.shutdown();
  EXPECT_EQ(calls, 1);
}

TEST(HandedOn, ShutdownLetsWhatHasStartedBeforeItsHandOverEndedRun) {
  Gate gate;
  // Runs a task before it returns, so that the task runs while it is still being handed on.
  InlineExecutor here;
  RateLimitedExecutor limited(here, {.per_second = 100, .burst = 1});
  std::jthread submitter([&] {
    const Future<bool> future = limited.submit([&](const std::stop_token& stop) {
      gate.pass();
      return stop.stop_requested();
    });
    EXPECT_FALSE(future.result());
  });
  gate.await(1);
  limited.shutdown(false, true);
  gate.open();
}

}  // namespace
}  // namespace muster::testing
