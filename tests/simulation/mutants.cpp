#include "mutants.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>

namespace muster::simulation {
namespace {

using std::chrono::seconds;

/// Passes everything on, through functions that a mutation replaces.
class Mutant : public RealCore {
 public:
  using RealCore::RealCore;

  void handle(TimePoint now, const Event& event, std::vector<Action>& actions) override {
    Event heard = event;
    if (!hear(heard)) return;
    RealCore::handle(now, heard, actions);
    say(now, actions);
  }
  void expire(TimePoint now, std::vector<Action>& actions) override {
    RealCore::expire(now + early, actions);
    say(now, actions);
  }
  std::optional<TimePoint> next_deadline() const override {
    auto deadline = RealCore::next_deadline();
    if (deadline) *deadline -= early;
    return forgets_deadlines ? std::nullopt : deadline;
  }

  std::function<bool(Event&)> hear = [](Event&) { return true; };  ///< false: it is lost
  std::function<void(TimePoint, std::vector<Action>&)> say = [](TimePoint, auto&) {};
  Duration early{};
  bool forgets_deadlines = false;
};

using MutantPtr = std::unique_ptr<Mutant>;

template <class T>
MutantPtr hearing(std::uint64_t seed, std::function<bool(T&)> change) {
  auto mutant = std::make_unique<Mutant>(seed);
  mutant->hear = [change](Event& event) {
    T* match = std::get_if<T>(&event);
    return match == nullptr || change(*match);
  };
  return mutant;
}

/// Changes every action of a kind; false drops it.
template <class T>
MutantPtr saying(std::uint64_t seed, std::function<bool(T&)> change) {
  auto mutant = std::make_unique<Mutant>(seed);
  mutant->say = [change](TimePoint, std::vector<Action>& actions) {
    std::erase_if(actions, [&](Action& action) {
      T* match = std::get_if<T>(&action);
      return match != nullptr && !change(*match);
    });
  };
  return mutant;
}

template <class T>
MutantPtr repeating(std::uint64_t seed) {
  auto mutant = std::make_unique<Mutant>(seed);
  mutant->say = [](TimePoint, std::vector<Action>& actions) {
    const auto said = actions;
    for (const Action& action : said)
      if (std::holds_alternative<T>(action)) actions.push_back(action);
  };
  return mutant;
}

MutantPtr edges_become_none(std::uint64_t seed, Edge lost) {
  return hearing<JobSubmitted>(seed, [lost](JobSubmitted& e) {
    const bool contradictory = validate(e.spec).has_value();
    for (StageSpec& stage : e.spec)
      if (!contradictory && stage.edge == lost) stage.edge = Edge::none;
    return true;
  });
}

/// Every success of an attempt that was ever started is granted its commit.
MutantPtr commits_stale_results(std::uint64_t seed) {
  auto mutant = std::make_unique<Mutant>(seed);
  struct Memory {
    std::map<AttemptId, StartAttempt> starts;
    std::optional<AttemptId> succeeded;
  };
  auto memory = std::make_shared<Memory>();
  mutant->hear = [memory](Event& event) {
    memory->succeeded.reset();
    if (const auto* e = std::get_if<AttemptSucceeded>(&event)) memory->succeeded = e->attempt;
    return true;
  };
  mutant->say = [memory](TimePoint, std::vector<Action>& actions) {
    const bool granted = !actions.empty() && std::holds_alternative<ChunkFinished>(actions[0]);
    if (memory->succeeded && !granted && memory->starts.contains(*memory->succeeded)) {
      const StartAttempt& start = memory->starts.at(*memory->succeeded);
      actions.push_back(ChunkFinished{start.job, start.stage, start.chunk, start.attempt});
    }
    for (const Action& action : actions)
      if (const auto* start = std::get_if<StartAttempt>(&action))
        memory->starts[start->attempt] = *start;
  };
  return mutant;
}

/// The slot of a cancelled attempt is given out again at once.
MutantPtr frees_slots_of_cancelled(std::uint64_t seed) {
  auto mutant = std::make_unique<Mutant>(seed);
  Mutant* raw = mutant.get();
  mutant->say = [raw](TimePoint now, std::vector<Action>& actions) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
      if (!std::holds_alternative<CancelAttempt>(actions[i])) continue;
      const AttemptId ended = std::get<CancelAttempt>(actions[i]).attempt;
      raw->RealCore::handle(now, AttemptFailed{ended, FailureCause::killed}, actions);
    }
  };
  return mutant;
}

MutantPtr raises_budgets(std::uint64_t seed) {
  return hearing<JobSubmitted>(seed, [](JobSubmitted& e) {
    for (StageSpec& stage : e.spec) {
      ++stage.budgets.crashed;
      ++stage.budgets.out_of_memory;
      ++stage.budgets.task_error;
    }
    return true;
  });
}

using Made = std::unique_ptr<Core>;
using Mutations = std::vector<Mutation>;

Mutations of_what_it_hears() {
  return {
      {"forgets a failure, so never retries",
       [](std::uint64_t s) -> Made {
         return hearing<AttemptFailed>(s, [](AttemptFailed&) { return false; });
       }},
      {"forgets a success",
       [](std::uint64_t s) -> Made {
         return hearing<AttemptSucceeded>(
             s, [](AttemptSucceeded& e) { return e.attempt.value % 5 != 0; });
       }},
      {"forgets that a worker was lost",
       [](std::uint64_t s) -> Made {
         return hearing<WorkerLost>(s, [](WorkerLost&) { return false; });
       }},
      {"forgets a cancellation",
       [](std::uint64_t s) -> Made {
         return hearing<JobCancelled>(s, [](JobCancelled&) { return false; });
       }},
      {"loses a slot",
       [](std::uint64_t s) -> Made {
         return hearing<WorkerJoined>(s, [](WorkerJoined& e) { return --e.slots, true; });
       }},
      {"invents a slot",
       [](std::uint64_t s) -> Made {
         return hearing<WorkerJoined>(s, [](WorkerJoined& e) { return ++e.slots, true; });
       }},
      {"starts before the barrier",
       [](std::uint64_t s) -> Made { return edges_become_none(s, Edge::barrier); }},
      {"starts before its own chunk is done",
       [](std::uint64_t s) -> Made { return edges_become_none(s, Edge::each); }},
      {"exceeds a budget", [](std::uint64_t s) -> Made { return raises_budgets(s); }},
      {"charges the wrong cause",
       [](std::uint64_t s) -> Made {
         return hearing<AttemptFailed>(s, [](AttemptFailed& e) {
           if (e.cause == FailureCause::killed) e.cause = FailureCause::crashed;
           return true;
         });
       }},
  };
}

Mutations of_commits_and_slots() {
  return {
      {"commits a stale result", [](std::uint64_t s) -> Made { return commits_stale_results(s); }},
      {"frees the slot of a cancelled attempt at once",
       [](std::uint64_t s) -> Made { return frees_slots_of_cancelled(s); }},
      {"commits twice", [](std::uint64_t s) -> Made { return repeating<ChunkFinished>(s); }},
      {"finishes a job twice", [](std::uint64_t s) -> Made { return repeating<JobFinished>(s); }},
      {"starts twice", [](std::uint64_t s) -> Made { return repeating<StartAttempt>(s); }},
      {"does not commit",
       [](std::uint64_t s) -> Made {
         return saying<ChunkFinished>(s, [](ChunkFinished& a) { return a.chunk % 7 != 6; });
       }},
      {"commits the wrong chunk",
       [](std::uint64_t s) -> Made {
         return saying<ChunkFinished>(s, [](ChunkFinished& a) { return ++a.chunk, true; });
       }},
  };
}

Mutations of_what_it_says() {
  return {
      {"does not finish a stage",
       [](std::uint64_t s) -> Made {
         return saying<StageFinished>(s, [](StageFinished&) { return false; });
       }},
      {"does not finish a job",
       [](std::uint64_t s) -> Made {
         return saying<JobFinished>(s, [](JobFinished&) { return false; });
       }},
      {"blames the wrong cause",
       [](std::uint64_t s) -> Made {
         return saying<JobFinished>(s, [](JobFinished& a) {
           if (a.failure) a.failure->cause = FailureCause::killed;
           return true;
         });
       }},
      {"leaves attempts running",
       [](std::uint64_t s) -> Made {
         return saying<CancelAttempt>(s, [](CancelAttempt&) { return false; });
       }},
      {"uses an attempt id again",
       [](std::uint64_t s) -> Made {
         return saying<StartAttempt>(s, [](StartAttempt& a) {
           if (a.attempt.value % 10 == 0) --a.attempt.value;
           return true;
         });
       }},
      {"miscounts attempts",
       [](std::uint64_t s) -> Made {
         return saying<StartAttempt>(s, [](StartAttempt& a) { return a.attempt_number = 1, true; });
       }},
      {"forgets the quarantine",
       [](std::uint64_t s) -> Made {
         return saying<StartAttempt>(s, [](StartAttempt& a) { return a.alone = false, true; });
       }},
      {"cuts back-offs short",
       [](std::uint64_t s) -> Made {
         auto mutant = std::make_unique<Mutant>(s);
         mutant->early = seconds(2);
         return mutant;
       }},
      {"forgets its deadlines",
       [](std::uint64_t s) -> Made {
         auto mutant = std::make_unique<Mutant>(s);
         mutant->forgets_deadlines = true;
         return mutant;
       }},
  };
}

}  // namespace

const std::vector<Mutation>& mutations() {
  static const Mutations all = [] {
    Mutations joined;
    for (const Mutations& some : {of_what_it_hears(), of_commits_and_slots(), of_what_it_says()})
      joined.insert(joined.end(), some.begin(), some.end());
    return joined;
  }();
  return all;
}

}  // namespace muster::simulation
