#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support.hpp"

namespace muster {
namespace {

using testing::Gate;
using testing::Inside;

int plus_one(int x) { return x + 1; }

class PipelineSubmit : public ::testing::Test {
 protected:
  ThreadPoolExecutor pool{{.max_workers = 4}};
};

TEST_F(PipelineSubmit, GivesAFutureOfTheLastStage) {
  const auto stages = pipeline<int>().stage(pool, plus_one).stage(pool, [](int x) {
    return std::make_unique<int>(x);
  });
  EXPECT_EQ(*stages.submit(41).result(), 42);
}

TEST_F(PipelineSubmit, FailsWithWhatAStageThrew) {
  const auto stages = pipeline<int>().stage(pool, plus_one).stage(pool, [](int x) {
    if (x == 3) throw std::invalid_argument("three");
    return x;
  });
  EXPECT_THROW(stages.submit(2).result(), std::invalid_argument);
  EXPECT_EQ(stages.submit(3).result(), 4);
  EXPECT_EQ(stages.stats().stages[1].failed, 1U);
  EXPECT_EQ(stages.stats().stages[1].out, 1U);
}

TEST_F(PipelineSubmit, FailsClearlyAfterTheExecutorsShutdown) {
  ThreadPoolExecutor closed;
  const auto stages = pipeline<int>().stage(pool, plus_one).stage(closed, plus_one);
  closed.shutdown();
  EXPECT_THROW(stages.submit(2).result(), Error);
}

TEST_F(PipelineSubmit, HoldsTheConcurrencyAndNeverBlocks) {
  Gate gate;
  Inside inside;
  const auto stages = pipeline<int>()
                          .stage(pool,
                                 [&](int x) {
                                   inside.enter();
                                   gate.pass();
                                   inside.leave();
                                   return x;
                                 },
                                 {.concurrency = 2, .queue_max = 1})
                          .stage(pool, plus_one);
  std::vector<Future<int>> futures;
  for (int i = 0; i < 500; ++i) futures.push_back(stages.submit(i));
  gate.await(2);
  EXPECT_EQ(stages.stats().stages[0].waiting, 498U);
  gate.open();
  for (int i = 0; i < 500; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), i + 1);
  EXPECT_EQ(inside.most(), 2);
}

TEST_F(PipelineSubmit, CancelTakesOutWhatWaits) {
  Gate gate;
  std::atomic<int> calls = 0;
  const auto stages = pipeline<int>().stage(pool,
                                            [&](int x) {
                                              ++calls;
                                              gate.pass();
                                              return x;
                                            },
                                            {.concurrency = 1});
  const auto runs = stages.submit(1);
  const auto waits = stages.submit(2);
  gate.await(1);
  EXPECT_EQ(waits.state(), FutureState::pending);
  EXPECT_EQ(runs.state(), FutureState::running);
  EXPECT_TRUE(waits.cancel());
  EXPECT_TRUE(waits.cancelled());
  EXPECT_TRUE(waits.cancel());
  EXPECT_FALSE(runs.cancel());  // a function that takes no stop token cannot be stopped
  gate.open();
  EXPECT_EQ(runs.result(), 1);
  EXPECT_FALSE(runs.cancel());
  EXPECT_EQ(stages.submit(3).result(), 3);
  EXPECT_EQ(calls, 2);
}

TEST_F(PipelineSubmit, CancelRecallsFromTheExecutor) {
  Gate gate;
  ThreadPoolExecutor one{{.max_workers = 1}};
  one.submit([&] { gate.pass(); });
  gate.await(1);
  const auto stages = pipeline<int>().stage(one, plus_one);
  const auto queued = stages.submit(1);
  EXPECT_TRUE(queued.cancel());
  EXPECT_TRUE(queued.cancelled());
  gate.open();
}

TEST_F(PipelineSubmit, DestructorWaitsForWhatIsUnderWay) {
  std::atomic<int> done = 0;
  std::vector<Future<void>> futures;
  {
    const auto stages =
        pipeline<int>().stage(pool, plus_one, {.concurrency = 2}).stage(pool, [&](int /*x*/) {
          ++done;
        });
    for (int i = 0; i < 200; ++i) futures.push_back(stages.submit(i));
  }
  EXPECT_EQ(done, 200);
  for (const auto& each : futures) EXPECT_TRUE(each.done());
}

TEST_F(PipelineSubmit, ManyThreadsMaySubmitAndCancel) {
  const auto stages = pipeline<int>()
                          .stage(pool, plus_one, {.concurrency = 3, .queue_max = 2})
                          .stage(pool, plus_one, {.concurrency = 2, .queue_max = 1});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::vector<Future<int>> futures;
      for (int i = 0; i < 300; ++i) {
        futures.push_back(stages.submit(i));
        if (i % 3 == 0) futures.back().cancel();
      }
      for (int i = 0; i < 300; ++i) {
        const auto& each = futures[static_cast<std::size_t>(i)];
        each.wait();
        if (!each.cancelled() && each.result() != i + 2) ++wrong;
      }
    });
  }
  for (auto& each : threads) each.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(PipelineSubmit, CallbacksMaySubmitFurtherItems) {
  const auto stages = pipeline<int>().stage(pool, plus_one).stage(pool, plus_one);
  Promise<int> last;
  std::function<void(int)> send = [&](int x) {
    stages.submit(x).add_done_callback([&](const Future<int>& done) {
      if (done.result() < 1000) {
        send(done.result());
      } else {
        last.set_value(done.result());
      }
    });
  };
  send(0);
  EXPECT_EQ(last.future().result(), 1000);
}

}  // namespace
}  // namespace muster
