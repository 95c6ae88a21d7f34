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

  /// The one of the calling thread, null for most.
  static WaitHelper*& of_this_thread() noexcept;
};

}  // namespace muster::detail
