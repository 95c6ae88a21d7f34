#include <utility>
#include <vector>

#include <muster/base/forks.hpp>
#include <muster/executors/threads/wait_graph.hpp>
#include <muster/futures/errors.hpp>

namespace muster::detail {

WaitGraph& WaitGraph::of_process() {
  static constinit PerProcess<WaitGraph> graphs;
  return graphs.get();
}

void WaitGraph::enter(Sleeper& sleeper) {
  const std::lock_guard lock(mutex_);
  try {
    for (const TaskFrame* task = sleeper.tasks; task != nullptr; task = task->outer) {
      in_middle_of_[task->state] = &sleeper;
    }
    if (!is_circular(sleeper)) return;
  } catch (...) {
    forget(sleeper);
    throw;
  }
  forget(sleeper);
  throw DeadlockError("a task waits, by way of other tasks, for its own result");
}

void WaitGraph::leave(Sleeper& sleeper) noexcept {
  const std::lock_guard lock(mutex_);
  forget(sleeper);
}

void WaitGraph::forget(const Sleeper& sleeper) noexcept {
  for (const TaskFrame* task = sleeper.tasks; task != nullptr; task = task->outer) {
    in_middle_of_.erase(task->state);
  }
}

// Follows who waits for whom.
bool WaitGraph::is_circular(Sleeper& start) {
  ++searches_;
  std::vector<Sleeper*> to_follow = {&start};
  while (!to_follow.empty()) {
    const Sleeper& sleeper = *to_follow.back();
    to_follow.pop_back();
    for (const SharedStateBase* state : sleeper.awaited) {
      const auto found = in_middle_of_.find(state);
      if (found == in_middle_of_.end()) continue;
      Sleeper& other = *found->second;
      if (&other == &start) return true;
      if (std::exchange(other.seen, searches_) != searches_) to_follow.push_back(&other);
    }
  }
  return false;
}

}  // namespace muster::detail
