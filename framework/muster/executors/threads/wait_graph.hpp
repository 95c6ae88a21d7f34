#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <unordered_map>

#include <muster/futures/future_state.hpp>

namespace muster::detail {

/// Tasks that run in a thread, innermost first: a wait may run another one.
struct TaskFrame {
  const SharedStateBase* state;
  TaskFrame* outer;
};

/// Which tasks sleep until which others are done, in all thread pools of a process. Finds waits in
/// a circle, which would never end.
///
/// Thread-safe. One lock for all, taken only before a thread sleeps and after: that costs far more.
/// It sees waits for futures of tasks, not what these in turn depend on by way of then(), of
/// promises, or of conditions of the program's own.
class WaitGraph {
 public:
  /// A thread that sleeps. Owned by that thread.
  struct Sleeper {
    TaskFrame* tasks = nullptr;                      ///< that it is in the middle of
    std::span<SharedStateBase* const> awaited = {};  ///< it sleeps until all of them are done
    std::uint64_t seen = 0;                          ///< the search that came across it last
  };

  static WaitGraph& of_process();

  /// Throws DeadlockError if one of the awaited tasks waits, by way of others, for the sleeper.
  void enter(Sleeper& sleeper);
  void leave(Sleeper& sleeper) noexcept;

 private:
  bool is_circular(Sleeper& start);
  void forget(const Sleeper& sleeper) noexcept;

  std::mutex mutex_;
  std::unordered_map<const SharedStateBase*, Sleeper*> in_middle_of_;
  std::uint64_t searches_ = 0;
};

}  // namespace muster::detail
