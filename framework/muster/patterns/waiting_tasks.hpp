#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>

#include <muster/base/clock.hpp>
#include <muster/base/forks.hpp>
#include <muster/executors/task.hpp>

namespace muster::detail {

/// Counts the tasks that a decorator of executors has taken and that are not done. Thread-safe.
class OpenTasks {
 public:
  /// Counts `task` until it is done, or destroyed without ever having been run.
  static void add(const std::shared_ptr<OpenTasks>& open, TaskBase& task);

  /// While it lives, a task is being handed on: await_none() waits for that, too, since the
  /// executor that it goes to may be gone afterwards, and the task itself may end before the
  /// hand-over does.
  class HandOver {
   public:
    HandOver(std::shared_ptr<OpenTasks> open, TaskBase& task);
    HandOver(const HandOver&) = delete;
    HandOver& operator=(const HandOver&) = delete;
    ~HandOver();

   private:
    friend class OpenTasks;
    const std::shared_ptr<OpenTasks> open_;
    TaskPtr task_;
    HandOver* next_ = nullptr;
    HandOver** here_ = nullptr;  // what points to this one
  };

  /// Cancels those that are being handed on, unless they run already: who gave them up no longer
  /// has them, and it is not known whether who gets them does.
  void cancel_handed_on();

  /// False if there still are any when the time is over. A pool's thread that waits here is
  /// replaced meanwhile. In a forked child true at once: nobody ends them there.
  bool await_none(std::optional<Duration> timeout);

 private:
  class Counted;

  const HomeProcess home_process_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
  HandOver* handed_on_ = nullptr;  // linked, so that handing on needs no memory
};

/// Tasks that wait with a decorator, outside of any executor: what their futures may ask of it.
///
/// Implementations keep such tasks under a lock of their own, which comes before the locks of
/// futures. A task is kept if and only if it is its home (TaskBase::move_to); both change together.
class WaitingTasks : public TaskHome,
                     public WorkControl,
                     public std::enable_shared_from_this<WaitingTasks> {
 public:
  std::shared_ptr<WorkControl> control() noexcept final { return shared_from_this(); }
  bool cancel(SharedStateBase& work) final;
  bool started(SharedStateBase& /*work*/) final { return false; }
  bool expire(SharedStateBase& work, const std::exception_ptr& error, bool also_running) final;

 protected:
  /// Gives up a task, which then has no home; empty if it is not here.
  virtual TaskPtr take_out(SharedStateBase& work) noexcept = 0;
};

/// Cancels a task in whoever's hands it is, unless it runs already: that one may end.
void cancel_unless_running(TaskBase& task);

/// Ends a task that nobody controls with this error, unless it was cancelled.
void end_with_error(TaskPtr task, std::exception_ptr error) noexcept;

}  // namespace muster::detail
