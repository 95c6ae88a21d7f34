#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include <muster/base/random.hpp>
#include <muster/executors/timer.hpp>
#include <muster/patterns/retrying.hpp>
#include <muster/patterns/waiting_tasks.hpp>

namespace muster::detail {

/// What RetryingExecutor and the tasks it has share.
///
/// A task that failed is taken back by its RetryWatch, kept in waiting_ until the timer says that
/// it is time, and handed to the inner executor again.
class RetryCore final : public WaitingTasks {
 public:
  RetryCore(Executor& inner, RetryOptions options);

  void execute(TaskPtr task);
  void shutdown(bool wait, bool cancel_pending);
  bool drain(std::optional<Duration> timeout) { return open_->await_none(timeout); }
  unsigned max_workers() const noexcept { return inner_.max_workers(); }
  RetryStatistics statistics() const;

 protected:
  TaskPtr take_out(SharedStateBase& work) noexcept override;

 private:
  class Watch;
  struct Waiting {
    TaskPtr task;
    Watch* watch = nullptr;
    std::exception_ptr last_error;
    std::uint64_t number = 0;
    TimerEntry timer;
  };
  using WaitingMap = std::unordered_map<const SharedStateBase*, Waiting>;

  void ran(TaskPtr& task, Watch& watch) noexcept;
  std::optional<TimePoint> next_attempt(const TaskBase& task, const std::exception_ptr& error,
                                        unsigned failures) noexcept;
  bool wants_retry(const std::exception_ptr& error) const noexcept;
  void keep(TaskPtr task, Watch& watch, std::exception_ptr error, TimePoint until);
  void run_again(const SharedStateBase* work, std::uint64_t number) noexcept;
  void give_up(Waiting waiting) noexcept;
  Waiting remove(WaitingMap::iterator at) noexcept;

  Executor& inner_;
  const RetryOptions options_;
  const std::shared_ptr<OpenTasks> open_ = std::make_shared<OpenTasks>();

  std::mutex mutex_;
  WaitingMap waiting_;
  std::uint64_t kept_ = 0;
  bool closed_ = false;
  bool cancels_ = false;  // shutdown: nothing is retried any more
  Random random_;

  std::atomic<std::uint64_t> attempts_{0};
  std::atomic<std::uint64_t> retries_{0};
  std::atomic<std::uint64_t> given_up_{0};
};

}  // namespace muster::detail
