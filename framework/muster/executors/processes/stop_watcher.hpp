#pragma once

#include <cstdint>
#include <mutex>
#include <stop_token>
#include <thread>

#include <muster/executors/processes/shared_area.hpp>
#include <muster/executors/task_context.hpp>

namespace muster::detail {

/// Passes the parent's requests to stop on to the running task's std::stop_token. Its thread starts
/// with the first task that takes a token: most never do, and their processes have one thread.
class StopWatcher final : public StopRequests {
 public:
  explicit StopWatcher(SharedHeader& header) : header_(header) {}
  StopWatcher(const StopWatcher&) = delete;
  StopWatcher& operator=(const StopWatcher&) = delete;

  std::stop_token token_for(TaskId task) override;
  void task_ended() noexcept override;

 private:
  [[noreturn]] void watch();
  void pass_on();

  SharedHeader& header_;
  std::mutex mutex_;
  std::uint64_t task_ = 0;  // that has the token; 0: none
  std::stop_source source_{std::nostopstate};
  bool watching_ = false;
};

}  // namespace muster::detail
