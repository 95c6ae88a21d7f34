#pragma once

#include <chrono>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include <muster/scheduling/scheduler.hpp>

namespace muster::scheduling {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Stands in for a shell: feeds a Scheduler events at a time that stands still unless moved, and
/// keeps what it answered.
class Driver {
 public:
  explicit Driver(SchedulerOptions options = {.seed = 1}) : scheduler(options) {}

  std::vector<Action> send(const Event& event) {
    std::vector<Action> actions;
    scheduler.handle(now, event, actions);
    return keep(std::move(actions));
  }

  std::vector<Action> expire() {
    std::vector<Action> actions;
    scheduler.expire(now, actions);
    return keep(std::move(actions));
  }

  void submit(std::uint64_t job, JobSpec spec) { send(JobSubmitted{JobId{job}, std::move(spec)}); }
  void join(std::uint64_t worker, std::uint32_t slots) {
    send(WorkerJoined{WorkerId{worker}, slots});
  }

  template <class T>
  static std::vector<T> only(const std::vector<Action>& actions) {
    std::vector<T> found;
    for (const Action& action : actions) {
      if (const T* match = std::get_if<T>(&action)) found.push_back(*match);
    }
    return found;
  }

  /// All actions of a kind since the beginning.
  template <class T>
  std::vector<T> all() const {
    return only<T>(history);
  }

  StartAttempt last_start() const { return all<StartAttempt>().back(); }

  std::vector<Action> succeed_last() { return send(AttemptSucceeded{last_start().attempt}); }
  std::vector<Action> fail_last(FailureCause cause) {
    return send(AttemptFailed{last_start().attempt, cause});
  }

  /// Reports success of everything that runs, and of what that starts, in order.
  void succeed_all() {
    for (std::size_t i = answered_; i < all<StartAttempt>().size(); ++i)
      send(AttemptSucceeded{all<StartAttempt>()[i].attempt});
    answered_ = all<StartAttempt>().size();
  }

  Scheduler scheduler;
  TimePoint now{seconds(1000)};
  std::vector<Action> history;

 private:
  std::vector<Action> keep(std::vector<Action> actions) {
    history.insert(history.end(), actions.begin(), actions.end());
    return actions;
  }

  std::size_t answered_ = 0;
};

inline StageSpec stage(std::uint32_t chunks, Edge edge = Edge::none, RetryBudgets budgets = {}) {
  return {.chunk_count = chunks, .edge = edge, .budgets = budgets};
}

}  // namespace muster::scheduling
