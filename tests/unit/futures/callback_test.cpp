#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/futures/coroutine.hpp>
#include <muster/futures/promise.hpp>
#include <muster/futures/then.hpp>

namespace muster {
namespace {

using namespace std::chrono_literals;

TEST(DoneCallback, SeesTheValue) {  // 23
  Promise<int> promise;
  int seen = 0;
  promise.future().add_done_callback([&](const Future<int>& future) { seen = future.result(); });
  EXPECT_EQ(seen, 0);
  promise.set_value(5);
  EXPECT_EQ(seen, 5);
}

TEST(DoneCallback, SeesTheError) {  // 24
  Promise<int> promise;
  std::exception_ptr seen;
  promise.future().add_done_callback([&](const Future<int>& f) { seen = f.exception(); });
  promise.set_exception(std::runtime_error("boom"));
  EXPECT_THROW(std::rethrow_exception(seen), std::runtime_error);
}

TEST(DoneCallback, SeesTheCancellation) {  // 25
  Promise<int> promise;
  bool seen = false;
  promise.future().add_done_callback([&](const Future<int>& f) { seen = f.cancelled(); });
  promise.future().cancel();
  EXPECT_TRUE(seen);
}

TEST(DoneCallback, SeesABrokenPromise) {
  bool seen = false;
  {
    const Promise<int> promise;
    promise.future().add_done_callback([&](const Future<int>& f) { seen = f.done(); });
  }
  EXPECT_TRUE(seen);
}

TEST(DoneCallback, RunsInTheOrderAdded) {
  Promise<void> promise;
  std::string order;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    promise.future().add_done_callback([&order, name] { order += name; });
  }
  promise.set_value();
  EXPECT_EQ(order, "abcd");
}

TEST(DoneCallback, AThrowingOneIsLoggedAndTheNextRuns) {  // 26
  Promise<int> promise;
  int runs = 0;
  promise.future().add_done_callback([] { throw std::runtime_error("callback's fault"); });
  promise.future().add_done_callback([&] { ++runs; });
  promise.future().add_done_callback([] { throw 42; });
  promise.future().add_done_callback([&] { ++runs; });
  testing::internal::CaptureStderr();
  promise.set_value(1);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(runs, 2);
  EXPECT_NE(log.find("callback's fault"), std::string::npos);
  EXPECT_NE(log.find("no std::exception"), std::string::npos);
}

TEST(DoneCallback, RunsAtOnceIfItIsDone) {  // 27, 28, 29
  Promise<int> value;
  Promise<int> error;
  const Promise<int> cancelled;
  value.set_value(1);
  error.set_exception(std::runtime_error("x"));
  cancelled.future().cancel();
  const std::thread::id here = std::this_thread::get_id();
  int runs = 0;
  for (const Promise<int>* promise : std::vector<const Promise<int>*>{&value, &error, &cancelled}) {
    promise->future().add_done_callback([&] {
      EXPECT_EQ(std::this_thread::get_id(), here);
      ++runs;
    });
  }
  EXPECT_EQ(runs, 3);
}

TEST(DoneCallback, AnImmediateOneThatThrowsIsLogged) {  // 30
  Promise<int> promise;
  promise.set_value(1);
  testing::internal::CaptureStderr();
  promise.future().add_done_callback([] { throw std::runtime_error("at once"); });
  EXPECT_NE(testing::internal::GetCapturedStderr().find("at once"), std::string::npos);
}

TEST(DoneCallback, MayUseTheFuture) {
  Promise<int> promise;
  const Future<int> future = promise.future();
  int inner = 0;
  future.add_done_callback([&](const Future<int>& done) {
    EXPECT_FALSE(done.cancel());
    done.add_done_callback([&] { ++inner; });
  });
  promise.set_value(1);
  EXPECT_EQ(inner, 1);
}

TEST(DoneCallback, MayBeMoveOnly) {
  Promise<int> promise;
  int seen = 0;
  promise.future().add_done_callback([&seen, owned = std::make_unique<int>(9)] { seen = *owned; });
  promise.set_value(1);
  EXPECT_EQ(seen, 9);
}

TEST(DoneCallback, ADeferredCancellationWakesBeforeItCallsBack) {
  Promise<int> promise;
  bool called = false;
  promise.future().add_done_callback([&] { called = true; });
  {
    detail::DoneCallbacks callbacks = promise.set_cancelled();
    EXPECT_TRUE(promise.future().cancelled());
    EXPECT_FALSE(called);
    callbacks.run();
    EXPECT_TRUE(called);
    called = false;
  }
  EXPECT_FALSE(called) << "not twice";
}

class RecordingControl : public WorkControl {
 public:
  explicit RecordingControl(Promise<int>& promise) : promise_(promise) {}

  bool cancel(detail::SharedStateBase& work) override {
    asked.push_back(&work);
    if (!obeys) return false;
    promise_.set_cancelled().run();
    return true;
  }
  bool started(detail::SharedStateBase&) override { return has_started; }
  void lend_thread(detail::SharedStateBase& work, std::optional<TimePoint> deadline) override {
    lent.push_back(&work);
    lent_until = deadline;
    if (obeys) promise_.set_value(5);
  }

  std::vector<detail::SharedStateBase*> asked;
  std::vector<detail::SharedStateBase*> lent;
  std::optional<TimePoint> lent_until;
  bool obeys = false;
  bool has_started = false;

 private:
  Promise<int>& promise_;
};

TEST(WorkControl, DecidesWhetherRunningWorkStops) {
  Promise<int> promise;
  const auto control = std::make_shared<RecordingControl>(promise);
  promise.on_cancel(control);
  promise.set_running();
  auto* const state = &detail::FutureAccess::state(promise.future());
  EXPECT_FALSE(promise.future().cancel());
  control->obeys = true;
  EXPECT_TRUE(promise.future().cancel());
  EXPECT_TRUE(promise.future().cancel()) << "cancelled already, so nobody is asked";
  EXPECT_EQ(control->asked, (std::vector{state, state}));
}

TEST(WorkControl, TellsWhetherDispatchedWorkStarted) {
  Promise<int> promise;
  const auto control = std::make_shared<RecordingControl>(promise);
  promise.on_cancel(control);
  promise.set_dispatched();
  EXPECT_EQ(promise.future().state(), FutureState::dispatched);
  control->has_started = true;
  EXPECT_TRUE(promise.future().running());
  promise.set_value(1);
  EXPECT_TRUE(promise.future().done());
}

TEST(WorkControl, IsLentTheThreadThatWaits) {
  Promise<int> promise;
  const auto control = std::make_shared<RecordingControl>(promise);
  promise.on_cancel(control);
  const Future<int> future = promise.future();
  EXPECT_FALSE(future.wait(std::chrono::nanoseconds(1)));
  EXPECT_TRUE(control->lent_until.has_value());
  control->obeys = true;
  EXPECT_EQ(future.result(), 5);
  EXPECT_FALSE(control->lent_until.has_value());
  EXPECT_EQ(future.result(), 5);
  EXPECT_EQ(control->lent.size(), 2U) << "nobody waits for what is done";
}

TEST(WorkControl, MayBeGone) {
  Promise<int> promise;
  promise.on_cancel(std::make_shared<RecordingControl>(promise));
  EXPECT_TRUE(promise.future().cancel());
}

TEST(Then, LetsGoOfTheFunctionBeforeTheResultIsThere) {
  Promise<int> promise;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = held;
  const Future<int> next =
      promise.future().then([held = std::move(held)](int value) { return value + *held; });
  bool released = false;
  next.add_done_callback([&] { released = alive.expired(); });
  promise.set_value(4);
  EXPECT_EQ(next.result(0s), 5);
  EXPECT_TRUE(released);
}

TEST(Then, LetsGoOfTheFunctionBeforeTheErrorIsThere) {
  Promise<int> promise;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = held;
  const Future<int> next = promise.future().then(
      [held = std::move(held)](int) -> int { throw std::runtime_error("no"); });
  bool released = false;
  next.add_done_callback([&] { released = alive.expired(); });
  promise.set_value(4);
  EXPECT_THROW(next.result(0s), std::runtime_error);
  EXPECT_TRUE(released);
}

constexpr int long_chain = 200'000;  // would need more than the stack if each ran inside the last

TEST(Then, AChainMayBeOfAnyLength) {
  Promise<int> promise;
  Future<int> last = promise.future();
  for (int i = 0; i < long_chain; ++i) last = last.then([](int value) { return value + 1; });
  promise.set_value(0);
  EXPECT_EQ(last.result(0s), long_chain);
}

TEST(Then, AFunctionDeepInAChainMayWaitForAnotherChain) {
  Promise<int> promise;
  Future<int> last = promise.future();
  for (int i = 0; i < 300; ++i) {
    last = last.then([](int value) {
      Promise<int> other;
      const Future<int> next =
          other.future().then([](int x) { return x + 1; }).then([](int x) { return x * 2; });
      other.set_value(value);
      return next.result(10s) / 2;
    });
  }
  promise.set_value(0);
  EXPECT_EQ(last.result(0s), 300);
}

Future<int> one_more(Future<int> before) { co_return co_await before + 1; }

TEST(Coroutine, AChainMayBeOfAnyLength) {
  Promise<int> promise;
  Future<int> last = promise.future();
  for (int i = 0; i < long_chain; ++i) last = one_more(last);
  promise.set_value(0);
  EXPECT_EQ(last.result(0s), long_chain);
}

TEST(Then, ALongChainMayBeAbandonedAndCancelled) {
  int ended = 0;
  for (const bool cancelled : {false, true}) {
    Promise<int> promise;
    Future<int> last = promise.future();
    for (int i = 0; i < long_chain; ++i) last = last.then([](int value) { return value + 1; });
    last.add_done_callback([&] { ++ended; });
    if (cancelled) promise.future().cancel();
    promise = Promise<int>();
    EXPECT_TRUE(last.done());
    EXPECT_EQ(last.cancelled(), cancelled);
  }
  EXPECT_EQ(ended, 2);
}

TEST(DoneCallback, NestedOnesRunBeforeTheCallThatCompletesReturns) {
  constexpr std::size_t depth = 1000;
  std::vector<Promise<void>> promises(depth);
  std::size_t ran = 0;
  for (std::size_t i = 0; i < depth; ++i) {
    promises[i].future().add_done_callback([&, i] {
      ++ran;
      if (i + 1 < depth) promises[i + 1].set_value();
      EXPECT_EQ(ran, depth) << "set_value() had them all run";
    });
  }
  promises[0].set_value();
  EXPECT_EQ(ran, depth);
}

}  // namespace
}  // namespace muster
