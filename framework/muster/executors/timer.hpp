#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include <muster/base/clock.hpp>

namespace muster::detail {

/// Names something that a timer is to do. Copyable; empty by default, and then names nothing.
struct TimerEntry {
  TimePoint when;
  std::uint64_t number = 0;

  friend auto operator<=>(const TimerEntry&, const TimerEntry&) = default;
};

/// Calls functions at points in time, one after the other, in a thread of its own which starts when
/// it is first needed.
///
/// What is called should be short, since it holds up all others: hand a task to an executor, end a
/// future. It must not throw, and may use the timer, but not destroy it. Executors whose queue is
/// bounded neither block this thread nor have it run tasks (is_current_thread()).
///
/// Thread-safe. An ordered map and not a heap, so that what is cancelled is gone at once, with all
/// that it holds: most deadlines are cancelled long before they come.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  /// What has not been called is dropped; what is being called ends first.
  ~Timer();

  /// The one that all executors share. It is never destroyed, so that executors with static storage
  /// can use it up to their own end. A forked child gets a new one, with nothing to do.
  static Timer& of_this_process();

  /// True in the thread of any timer.
  static bool is_current_thread() noexcept;

  /// Calls function() at `when`, or soon if that is past. Functions of the same time are called in
  /// the order given. Throws Error(broken) if the thread cannot be started.
  template <class F>
  TimerEntry call_at(TimePoint when, F function) {
    return add(when, std::make_unique<Function<F>>(std::move(function)));
  }

  /// True if it will not be called: the function is destroyed by then. False if it has been called,
  /// is being called just now, or was cancelled before.
  bool cancel(const TimerEntry& entry) noexcept;

 private:
  struct Callable {
    virtual ~Callable() = default;
    virtual void call() noexcept = 0;
  };
  template <class F>
  struct Function final : Callable {
    explicit Function(F given) : function(std::move(given)) {}
    void call() noexcept override { function(); }
    F function;
  };

  TimerEntry add(TimePoint when, std::unique_ptr<Callable> callable);
  void start_thread();
  void run() noexcept;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<TimerEntry, std::unique_ptr<Callable>> entries_;
  std::uint64_t added_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace muster::detail
