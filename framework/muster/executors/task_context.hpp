#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <string_view>

#include <muster/base/bytes.hpp>
#include <muster/base/ids.hpp>

namespace muster {

namespace detail {

/// Where a task's requests to stop come from.
class StopRequests {
 public:
  virtual ~StopRequests() = default;
  virtual std::stop_token token_for(TaskId task) = 0;
  virtual void task_ended() noexcept = 0;
};

}  // namespace detail

/// What a running task can tell the outside while it runs. The counters lie in memory shared with
/// the parent, which may read them at any time, also after the process has died; writing one costs
/// no more than a store. Both are 0 when a task starts. Thread-safe.
class TaskContext {
 public:
  /// Made by the pool, one for each task that runs.
  TaskContext(TaskId task, std::atomic<std::uint64_t>& position,
              std::atomic<std::uint64_t>& progress, detail::StopRequests& stop)
      : task_(task), position_(position), progress_(progress), stop_(stop) {}
  TaskContext(const TaskContext&) = delete;
  TaskContext& operator=(const TaskContext&) = delete;

  /// What the pool calls it.
  TaskId task() const noexcept { return task_; }

  /// Work done so far, in a unit of the task's choice (bytes, records).
  void add_progress(std::uint64_t amount) noexcept {
    progress_.fetch_add(amount, std::memory_order_relaxed);
  }

  /// Where in its input the task is. Kept up to date by the task, so that the record that killed
  /// it can be named and skipped. Relaxed stores suffice.
  std::atomic<std::uint64_t>& position() noexcept { return position_; }

  /// Triggered by Future::cancel(), if the task's function takes a std::stop_token (which is this
  /// one): it is expected to end soon after. A TaskFunction's never is: cancel() kills its process.
  std::stop_token stop_token() { return stop_.token_for(task_); }

 private:
  TaskId task_;
  std::atomic<std::uint64_t>& position_;
  std::atomic<std::uint64_t>& progress_;
  detail::StopRequests& stop_;
};

/// A task: a plain function of the program itself, which task processes have at the same address.
/// What it returns is the result; what it throws arrives as itself if its type is registered
/// (register_error.hpp), and as RemoteError otherwise. Anything it prints, to stdout or stderr,
/// arrives line by line at ProcessPoolOptions::on_output.
using TaskFunction = Bytes (*)(TaskContext& context, std::string_view argument);

}  // namespace muster
