#pragma once

#include <span>

namespace muster::detail {

class SharedStateBase;

/// What a thread does instead of just sleeping when it waits for a future. Those that run tasks or
/// callbacks of an executor each have one: if all of them slept until work was done that only they
/// can do, it never would be. Used by the thread that installed it alone.
class WaitHelper {
 public:
  virtual ~WaitHelper() = default;

  /// Called before the thread sleeps until every one of `awaited` is done. Throws DeadlockError if
  /// that can never be. Empty if the wait may end earlier: at a deadline, or when one of several is
  /// done. `awaited` stays as it is until after_wait().
  virtual void before_wait(std::span<SharedStateBase* const> awaited) = 0;
  virtual void after_wait() noexcept = 0;

  /// False if before_wait() cannot have another thread do this one's work meanwhile.
  virtual bool can_be_replaced() const noexcept { return true; }

  /// The one of the calling thread, null for most.
  static WaitHelper*& of_this_thread() noexcept;
};

/// A time in which the calling thread sleeps: tells its helper, if it has one, before and after.
class WaitScope {
 public:
  explicit WaitScope(std::span<SharedStateBase* const> awaited)
      : helper_(WaitHelper::of_this_thread()) {
    if (helper_ != nullptr) helper_->before_wait(awaited);
  }
  ~WaitScope() {
    if (helper_ != nullptr) helper_->after_wait();
  }
  WaitScope(const WaitScope&) = delete;
  WaitScope& operator=(const WaitScope&) = delete;

 private:
  WaitHelper* helper_;
};

}  // namespace muster::detail
