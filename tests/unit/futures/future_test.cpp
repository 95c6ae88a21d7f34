#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/futures/promise.hpp>

namespace muster {
namespace {

using std::chrono::milliseconds;

constexpr Duration poll = Duration::zero();

/// One future in each state, as the contract's items 31 to 43 want them.
struct EveryState {
  EveryState() {
    dispatched.set_dispatched();
    running.set_running();
    finished.set_value(42);
    failed.set_exception(std::runtime_error("boom"));
    cancelled.future().cancel();
  }
  Promise<int> pending, dispatched, running, finished, failed, cancelled;
};

TEST(Future, ReportsItsState) {  // 31, 33, 34, 35
  const EveryState every;
  EXPECT_EQ(every.pending.future().state(), FutureState::pending);
  EXPECT_EQ(every.dispatched.future().state(), FutureState::dispatched);
  EXPECT_EQ(every.running.future().state(), FutureState::running);
  EXPECT_EQ(every.finished.future().state(), FutureState::finished);
  EXPECT_EQ(every.failed.future().state(), FutureState::finished);
  EXPECT_EQ(every.cancelled.future().state(), FutureState::cancelled);

  EXPECT_TRUE(every.running.future().running());
  EXPECT_FALSE(every.dispatched.future().running());
  EXPECT_TRUE(every.cancelled.future().cancelled());
  EXPECT_FALSE(every.finished.future().cancelled());
  EXPECT_FALSE(every.pending.future().done());
  EXPECT_FALSE(every.running.future().done());
  EXPECT_TRUE(every.finished.future().done());
  EXPECT_TRUE(every.failed.future().done());
  EXPECT_TRUE(every.cancelled.future().done());
}

TEST(Future, NamesOfStatesAreDistinct) {
  EXPECT_EQ(to_string(FutureState::pending), "pending");
  EXPECT_EQ(to_string(FutureState::dispatched), "dispatched");
  EXPECT_EQ(to_string(FutureState::running), "running");
  EXPECT_EQ(to_string(FutureState::finished), "finished");
  EXPECT_EQ(to_string(FutureState::cancelled), "cancelled");
}

TEST(Future, CancelsWhatHasNotStarted) {  // 32
  EveryState every;
  EXPECT_TRUE(every.pending.future().cancel());
  EXPECT_TRUE(every.dispatched.future().cancel());
  EXPECT_FALSE(every.running.future().cancel());
  EXPECT_FALSE(every.finished.future().cancel());
  EXPECT_FALSE(every.failed.future().cancel());
  EXPECT_TRUE(every.cancelled.future().cancel());

  EXPECT_FALSE(every.pending.set_running()) << "a cancelled task must not run";
  EXPECT_FALSE(every.dispatched.set_running());
  EXPECT_TRUE(every.pending.future().cancelled());
}

TEST(Future, ResultPollsInEveryState) {  // 36
  const EveryState every;
  EXPECT_THROW(every.pending.future().result(poll), TimeoutError);
  EXPECT_THROW(every.dispatched.future().result(poll), TimeoutError);
  EXPECT_THROW(every.running.future().result(poll), TimeoutError);
  EXPECT_EQ(every.finished.future().result(poll), 42);
  EXPECT_THROW(every.failed.future().result(poll), std::runtime_error);
  EXPECT_THROW(every.cancelled.future().result(poll), CancelledError);
}

TEST(Future, ExceptionPollsInEveryState) {  // 39
  const EveryState every;
  EXPECT_THROW(every.pending.future().exception(poll), TimeoutError);
  EXPECT_THROW(every.running.future().exception(poll), TimeoutError);
  EXPECT_EQ(every.finished.future().exception(poll), nullptr);
  EXPECT_THROW(every.cancelled.future().exception(poll), CancelledError);
  const std::exception_ptr error = every.failed.future().exception(poll);
  ASSERT_NE(error, nullptr);
  EXPECT_THROW(std::rethrow_exception(error), std::runtime_error);
}

TEST(Future, ErrorsCarryCodes) {
  EXPECT_EQ(CancelledError().code(), ErrorCode::cancelled);
  EXPECT_EQ(TimeoutError().code(), ErrorCode::limit);
  EXPECT_EQ(BrokenPromiseError().code(), ErrorCode::broken);
  EXPECT_EQ(InvalidStateError("x").code(), ErrorCode::usage);
}

TEST(Future, ATimeoutPasses) {
  const Promise<int> promise;
  const TimePoint before = Clock::now();
  EXPECT_THROW(promise.future().result(milliseconds(20)), TimeoutError);
  EXPECT_FALSE(promise.future().wait(milliseconds(1)));
  EXPECT_GE(Clock::now() - before, milliseconds(21));
}

TEST(Future, AHugeTimeoutIsNone) {
  Promise<int> promise;
  const Future<int> future = promise.future();
  std::thread setter([&] { promise.set_value(1); });
  EXPECT_EQ(future.result(Duration::max()), 1);
  setter.join();
}

TEST(Future, ResultWaitsForAnotherThread) {  // 37
  Promise<std::string> promise;
  const Future<std::string> future = promise.future();
  std::thread setter([&] { promise.set_value("value"); });
  EXPECT_EQ(future.result(), "value");
  setter.join();
}

TEST(Future, ExceptionWaitsForAnotherThread) {  // 40
  Promise<int> promise;
  const Future<int> future = promise.future();
  std::thread setter([&] { promise.set_exception(std::logic_error("x")); });
  EXPECT_THROW(std::rethrow_exception(future.exception()), std::logic_error);
  setter.join();
}

TEST(Future, CancelWakesWaiters) {  // 38
  Promise<int> promise;
  const Future<int> future = promise.future();
  std::thread canceller([&] { future.cancel(); });
  EXPECT_THROW(future.result(), CancelledError);
  canceller.join();
  EXPECT_THROW(future.exception(), CancelledError);
}

TEST(Future, TakesOneOutcomeOnly) {  // 41, 42
  Promise<int> promise;
  promise.set_value(1);
  EXPECT_THROW(promise.set_value(2), InvalidStateError);
  EXPECT_THROW(promise.set_exception(std::runtime_error("x")), InvalidStateError);
  EXPECT_THROW(static_cast<void>(promise.set_cancelled()), InvalidStateError);
  EXPECT_THROW(promise.set_running(), InvalidStateError);
  EXPECT_EQ(promise.future().result(), 1);

  Promise<int> failed;
  failed.set_exception(std::runtime_error("first"));
  EXPECT_THROW(failed.set_value(2), InvalidStateError);
  EXPECT_THROW(failed.future().result(), std::runtime_error);

  Promise<int> cancelled;
  cancelled.future().cancel();
  EXPECT_THROW(cancelled.set_value(2), InvalidStateError);
  EXPECT_TRUE(cancelled.future().cancelled());
}

TEST(Future, ABrokenPromiseIsAnError) {
  Future<int> future;
  {
    const Promise<int> promise;
    future = promise.future();
  }
  EXPECT_THROW(future.result(), BrokenPromiseError);
  Promise<int> reused;
  future = reused.future();
  reused = Promise<int>();
  EXPECT_THROW(future.result(poll), BrokenPromiseError);
}

TEST(Future, OutlivesItsPromise) {
  Future<std::string> future;
  {
    Promise<std::string> promise;
    future = promise.future();
    promise.set_value("kept");
  }
  EXPECT_EQ(future.result(), "kept");
}

TEST(Future, VoidWorks) {
  Promise<void> promise;
  const Future<void> future = promise.future();
  EXPECT_THROW(future.result(poll), TimeoutError);
  promise.set_value();
  future.result();
  EXPECT_EQ(future.exception(), nullptr);
  promise.future().result();
  EXPECT_THROW(promise.set_value(), InvalidStateError);
}

TEST(Future, MoveOnlyValuesWork) {
  Promise<std::unique_ptr<int>> promise;
  const Future<std::unique_ptr<int>> future = promise.future();
  promise.set_value(std::make_unique<int>(7));
  EXPECT_EQ(*future.result(), 7);
  EXPECT_EQ(*future.take(), 7);
  EXPECT_THROW(future.result(), InvalidStateError);
  EXPECT_THROW(future.take(), InvalidStateError);
  EXPECT_TRUE(future.done());
}

TEST(Future, ATemporaryHandleGivesAValueOfItsOwn) {
  Promise<std::string> promise;
  promise.set_value(std::string(100, 'x'));
  Future<std::string> future = promise.future();
  EXPECT_EQ(promise.future().result(), std::string(100, 'x'));
  EXPECT_EQ(future.result(), std::string(100, 'x')) << "others still have it";
  const std::string value = std::move(future).result();
  EXPECT_EQ(value.size(), 100U);
}

TEST(Future, PresenceOfAResultIsATag) {  // 22
  Promise<std::exception_ptr> promise;
  promise.set_value(std::exception_ptr());
  EXPECT_EQ(promise.future().result(poll), nullptr);
  Promise<std::string> empty;
  empty.set_value("");
  EXPECT_EQ(empty.future().result(poll), "");
}

TEST(Future, AValueThatCannotBeMadeLeavesItOpen) {
  struct Picky {
    explicit Picky(int value) {
      if (value < 0) throw std::invalid_argument("negative");
    }
  };
  Promise<Picky> promise;
  EXPECT_THROW(promise.set_value(-1), std::invalid_argument);
  EXPECT_FALSE(promise.future().done());
  promise.set_value(1);
  EXPECT_TRUE(promise.future().done());
}

TEST(Future, EqualityIsIdentity) {
  const Promise<int> one;
  const Promise<int> two;
  EXPECT_EQ(one.future(), one.future());
  EXPECT_FALSE(one.future() == two.future());
  EXPECT_EQ(std::hash<Future<int>>()(one.future()), std::hash<Future<int>>()(one.future()));
  EXPECT_FALSE(Future<int>().valid());
  EXPECT_THROW(static_cast<void>(Future<int>().done()), InvalidStateError);
  EXPECT_TRUE(one.future().valid());
}

TEST(Future, AStateSnapshotIsConsistent) {  // 43
  constexpr int rounds = 1000;
  for (int round = 0; round < rounds; ++round) {
    Promise<int> promise;
    const Future<int> future = promise.future();
    std::atomic<int> wrong = 0;
    std::vector<std::thread> readers;
    readers.reserve(4);
    if (round % 100 == 0) {
      for (int i = 0; i < 4; ++i) {
        readers.emplace_back([&] {
          for (int look = 0; look < 1000; ++look) {
            const FutureState state = future.state();
            if (state == FutureState::finished && future.result(poll) != round) ++wrong;
            if (state == FutureState::cancelled) ++wrong;
          }
        });
      }
    }
    promise.set_dispatched();
    promise.set_running();
    promise.set_value(round);
    for (std::thread& reader : readers) reader.join();
    ASSERT_EQ(wrong.load(), 0);
    ASSERT_EQ(future.result(poll), round);
  }
}

TEST(Future, CancelAndSetRunningAgree) {
  for (int round = 0; round < 1000; ++round) {
    Promise<int> promise;
    const Future<int> future = promise.future();
    std::atomic<bool> go = false;
    bool cancelled = false;
    std::thread canceller([&] {
      while (!go.load()) std::this_thread::yield();
      cancelled = future.cancel();
    });
    go.store(true);
    const bool runs = promise.set_running();
    canceller.join();
    ASSERT_NE(runs, cancelled);
    if (runs) promise.set_value(1);
  }
}

}  // namespace
}  // namespace muster
