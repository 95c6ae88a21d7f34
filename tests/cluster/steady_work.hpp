#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

#include "square.hpp"
#include "support/process.hpp"

namespace muster::testing {

/// A client that has calls run on a cluster all the while, in rounds, and looks at each result.
class SteadyWork {
 public:
  explicit SteadyWork(const std::string& address) : cluster_(address) { start(); }
  ~SteadyWork() { stop(); }
  SteadyWork(const SteadyWork&) = delete;
  SteadyWork& operator=(const SteadyWork&) = delete;

  /// The client stays connected.
  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  /// Goes on after stop().
  void start() {
    stopping_ = false;
    thread_ = std::thread([this] { run(); });
  }
  /// A round that began after this was called has ended.
  void expect_progress() {
    const std::uint64_t seen = rounds_;
    EXPECT_TRUE(eventually([&] { return rounds_ >= seen + 2 || has_failed_; }, limit));
  }
  /// Every result has been right, also now.
  void expect_all_right() {
    expect_progress();
    stop();
    EXPECT_EQ(failure_, "");
    EXPECT_GE(rounds_, 2U);
  }

 private:
  static constexpr std::chrono::seconds limit{60};

  void run() {
    constexpr int calls_a_round = 50;
    try {
      while (!stopping_) {
        std::vector<Future<int>> futures;
        for (int i = 0; i < calls_a_round; ++i) futures.push_back(cluster_.submit(square, i));
        for (int i = 0; i < calls_a_round; ++i) {
          const int got = futures[static_cast<std::size_t>(i)].result(limit);
          if (got != i * i) throw Error(ErrorCode::corrupt, "a result is " + std::to_string(got));
        }
        ++rounds_;
      }
    } catch (const std::exception& error) {
      failure_ = error.what();
      has_failed_ = true;
    }
  }

  ClusterExecutor cluster_;
  std::atomic<std::uint64_t> rounds_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> has_failed_{false};
  std::string failure_;  ///< once the thread has ended
  std::thread thread_;
};

}  // namespace muster::testing
