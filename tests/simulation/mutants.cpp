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
MutantPtr hearing(const SchedulerOptions& options, std::function<bool(T&)> change) {
  auto mutant = std::make_unique<Mutant>(options);
  mutant->hear = [change](Event& event) {
    T* match = std::get_if<T>(&event);
    return match == nullptr || change(*match);
  };
  return mutant;
}

/// Changes every action of a kind; false drops it.
template <class T>
MutantPtr saying(const SchedulerOptions& options, std::function<bool(T&)> change) {
  auto mutant = std::make_unique<Mutant>(options);
  mutant->say = [change](TimePoint, std::vector<Action>& actions) {
    std::erase_if(actions, [&](Action& action) {
      T* match = std::get_if<T>(&action);
      return match != nullptr && !change(*match);
    });
  };
  return mutant;
}

template <class T>
MutantPtr repeating(const SchedulerOptions& options) {
  auto mutant = std::make_unique<Mutant>(options);
  mutant->say = [](TimePoint, std::vector<Action>& actions) {
    const auto said = actions;
    for (const Action& action : said)
      if (std::holds_alternative<T>(action)) actions.push_back(action);
  };
  return mutant;
}

MutantPtr edges_become_none(const SchedulerOptions& options, Edge lost) {
  return hearing<JobSubmitted>(options, [lost](JobSubmitted& e) {
    const bool contradictory = validate(e.spec).has_value();
    for (StageSpec& stage : e.spec)
      if (!contradictory && stage.edge == lost) stage.edge = Edge::none;
    return true;
  });
}

/// Every success of an attempt that was ever started is granted its commit.
MutantPtr commits_stale_results(const SchedulerOptions& options) {
  auto mutant = std::make_unique<Mutant>(options);
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
MutantPtr frees_slots_of_cancelled(const SchedulerOptions& options) {
  auto mutant = std::make_unique<Mutant>(options);
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

MutantPtr raises_budgets(const SchedulerOptions& options) {
  return hearing<JobSubmitted>(options, [](JobSubmitted& e) {
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
       [](const SchedulerOptions& s) -> Made {
         return hearing<AttemptFailed>(s, [](AttemptFailed&) { return false; });
       }},
      {"forgets a success",
       [](const SchedulerOptions& s) -> Made {
         return hearing<AttemptSucceeded>(
             s, [](AttemptSucceeded& e) { return e.attempt.value % 5 != 0; });
       }},
      {"forgets that a worker was lost",
       [](const SchedulerOptions& s) -> Made {
         return hearing<WorkerLost>(s, [](WorkerLost&) { return false; });
       }},
      {"forgets a cancellation",
       [](const SchedulerOptions& s) -> Made {
         return hearing<JobCancelled>(s, [](JobCancelled&) { return false; });
       }},
      {"loses a slot",
       [](const SchedulerOptions& s) -> Made {
         return hearing<WorkerJoined>(s, [](WorkerJoined& e) { return --e.slots, true; });
       }},
      {"invents a slot",
       [](const SchedulerOptions& s) -> Made {
         return hearing<WorkerJoined>(s, [](WorkerJoined& e) { return ++e.slots, true; });
       }},
      {"starts before the barrier",
       [](const SchedulerOptions& s) -> Made { return edges_become_none(s, Edge::barrier); }},
      {"starts before its own chunk is done",
       [](const SchedulerOptions& s) -> Made { return edges_become_none(s, Edge::each); }},
      {"exceeds a budget", [](const SchedulerOptions& s) -> Made { return raises_budgets(s); }},
      {"charges the wrong cause",
       [](const SchedulerOptions& s) -> Made {
         return hearing<AttemptFailed>(s, [](AttemptFailed& e) {
           if (e.cause == FailureCause::killed) e.cause = FailureCause::crashed;
           return true;
         });
       }},
  };
}

Mutations of_workers() {
  return {
      {"does not hear a worker",
       [](const SchedulerOptions& s) -> Made {
         return hearing<WorkerHeard>(s, [](WorkerHeard&) { return false; });
       }},
      {"believes in a worker for too long",
       [](const SchedulerOptions& s) -> Made {
         SchedulerOptions longer = s;
         if (longer.lease) *longer.lease += std::chrono::milliseconds(20);
         return std::make_unique<Mutant>(longer);
       }},
      {"does not say that a worker expired",
       [](const SchedulerOptions& s) -> Made {
         return saying<WorkerExpired>(s, [](WorkerExpired&) { return false; });
       }},
      {"gives more to a worker that drains",
       [](const SchedulerOptions& s) -> Made {
         return hearing<WorkerDraining>(s, [](WorkerDraining&) { return false; });
       }},
      {"does not release a drained worker",
       [](const SchedulerOptions& s) -> Made {
         return saying<WorkerReleased>(s, [](WorkerReleased&) { return false; });
       }},
      {"keeps slots for what cannot be recalled",
       [](const SchedulerOptions& s) -> Made {
         return hearing<AttemptStarted>(s, [](AttemptStarted&) { return false; });
       }},
      {"gives more to a paused worker",
       [](const SchedulerOptions& s) -> Made {
         return hearing<WorkerPaused>(s, [](WorkerPaused&) { return false; });
       }},
      {"never resumes a worker",
       [](const SchedulerOptions& s) -> Made {
         return hearing<WorkerResumed>(s, [](WorkerResumed&) { return false; });
       }},
  };
}

Mutations of_shares() {
  return {
      {"lets attempts wait while slots are free",
       [](const SchedulerOptions& s) -> Made {
         return saying<RecallAttempt>(s, [](RecallAttempt&) { return false; });
       }},
      {"charges what was given back",
       [](const SchedulerOptions& s) -> Made {
         auto mutant = std::make_unique<Mutant>(s);
         mutant->hear = [](Event& event) {
           if (const auto* e = std::get_if<AttemptReturned>(&event))
             event = AttemptFailed{e->attempt, FailureCause::killed};
           return true;
         };
         return mutant;
       }},
      {"forgets what was given back",
       [](const SchedulerOptions& s) -> Made {
         return hearing<AttemptReturned>(s, [](AttemptReturned&) { return false; });
       }},
      {"helps stragglers too early",
       [](const SchedulerOptions& s) -> Made {
         SchedulerOptions sooner = s;
         if (sooner.speculation) sooner.speculation->at_least /= 3;
         if (sooner.speculation) sooner.speculation->times = 1;
         return std::make_unique<Mutant>(sooner);
       }},
      {"helps stragglers whose stage forbids it",
       [](const SchedulerOptions& s) -> Made {
         return hearing<JobSubmitted>(s, [](JobSubmitted& e) {
           for (StageSpec& stage : e.spec) stage.speculate = true;
           return true;
         });
       }},
      {"keeps the attempt that came second",
       [](const SchedulerOptions& s) -> Made {
         auto mutant = std::make_unique<Mutant>(s);
         mutant->say = [](TimePoint, std::vector<Action>& actions) {
           const bool commits = std::any_of(actions.begin(), actions.end(), [](const Action& each) {
             return std::holds_alternative<ChunkFinished>(each);
           });
           if (!commits) return;
           std::erase_if(actions, [](const Action& each) {
             return std::holds_alternative<CancelAttempt>(each);
           });
         };
         return mutant;
       }},
      {"suspends nobody",
       [](const SchedulerOptions& s) -> Made {
         SchedulerOptions lenient = s;
         lenient.suspension.reset();
         return std::make_unique<Mutant>(lenient);
       }},
      {"suspends too early",
       [](const SchedulerOptions& s) -> Made {
         SchedulerOptions strict = s;
         if (strict.suspension) strict.suspension->after = 2;
         return std::make_unique<Mutant>(strict);
       }},
      {"knows no priorities",
       [](const SchedulerOptions& s) -> Made {
         return hearing<JobSubmitted>(s, [](JobSubmitted& e) { return e.rank.priority = 0, true; });
       }},
      {"knows no weights",
       [](const SchedulerOptions& s) -> Made {
         return hearing<JobSubmitted>(s, [](JobSubmitted& e) { return e.rank.weight = 1, true; });
       }},
  };
}

Mutations of_outputs() {
  return {
      {"forgets that an output is lost",
       [](const SchedulerOptions& s) -> Made {
         return hearing<OutputLost>(s, [](OutputLost&) { return false; });
       }},
      {"does not say that a chunk is reopened",
       [](const SchedulerOptions& s) -> Made {
         return saying<ChunkReopened>(s, [](ChunkReopened&) { return false; });
       }},
      {"thinks that no output is kept",
       [](const SchedulerOptions& s) -> Made {
         return hearing<JobSubmitted>(s, [](JobSubmitted& e) {
           for (StageSpec& stage : e.spec) stage.keeps_output = false;
           return true;
         });
       }},
  };
}

Mutations of_streams() {
  return {
      {"does not grow",
       [](const SchedulerOptions& s) -> Made {
         return hearing<ChunksAdded>(s, [](ChunksAdded& e) { return e.count /= 2, true; });
       }},
      {"never seals a stream",
       [](const SchedulerOptions& s) -> Made {
         return hearing<StreamSealed>(s, [](StreamSealed&) { return false; });
       }},
      {"forgets that a chunk is not wanted",
       [](const SchedulerOptions& s) -> Made {
         return hearing<ChunkCancelled>(s, [](ChunkCancelled&) { return false; });
       }},
      {"does not say that a chunk failed",
       [](const SchedulerOptions& s) -> Made {
         return saying<ChunkFailed>(s, [](ChunkFailed&) { return false; });
       }},
      {"forgets no job",
       [](const SchedulerOptions& s) -> Made {
         return hearing<JobForgotten>(s, [](JobForgotten&) { return false; });
       }},
  };
}

Mutations of_commits_and_slots() {
  return {
      {"commits a stale result",
       [](const SchedulerOptions& s) -> Made { return commits_stale_results(s); }},
      {"frees the slot of a cancelled attempt at once",
       [](const SchedulerOptions& s) -> Made { return frees_slots_of_cancelled(s); }},
      {"commits twice",
       [](const SchedulerOptions& s) -> Made { return repeating<ChunkFinished>(s); }},
      {"finishes a job twice",
       [](const SchedulerOptions& s) -> Made { return repeating<JobFinished>(s); }},
      {"starts twice",
       [](const SchedulerOptions& s) -> Made { return repeating<StartAttempt>(s); }},
      {"does not commit",
       [](const SchedulerOptions& s) -> Made {
         return saying<ChunkFinished>(s, [](ChunkFinished& a) { return a.chunk % 7 != 6; });
       }},
      {"commits the wrong chunk",
       [](const SchedulerOptions& s) -> Made {
         return saying<ChunkFinished>(s, [](ChunkFinished& a) { return ++a.chunk, true; });
       }},
  };
}

Mutations of_what_it_says() {
  return {
      {"does not finish a stage",
       [](const SchedulerOptions& s) -> Made {
         return saying<StageFinished>(s, [](StageFinished&) { return false; });
       }},
      {"does not finish a job",
       [](const SchedulerOptions& s) -> Made {
         return saying<JobFinished>(s, [](JobFinished&) { return false; });
       }},
      {"blames the wrong cause",
       [](const SchedulerOptions& s) -> Made {
         return saying<JobFinished>(s, [](JobFinished& a) {
           if (a.failure) a.failure->cause = FailureCause::killed;
           return true;
         });
       }},
      {"leaves attempts running",
       [](const SchedulerOptions& s) -> Made {
         return saying<CancelAttempt>(s, [](CancelAttempt&) { return false; });
       }},
      {"uses an attempt id again",
       [](const SchedulerOptions& s) -> Made {
         return saying<StartAttempt>(s, [](StartAttempt& a) {
           if (a.attempt.value % 10 == 0) --a.attempt.value;
           return true;
         });
       }},
      {"miscounts attempts",
       [](const SchedulerOptions& s) -> Made {
         return saying<StartAttempt>(s, [](StartAttempt& a) { return a.attempt_number = 1, true; });
       }},
      {"does not say that an attempt is the second",
       [](const SchedulerOptions& s) -> Made {
         return saying<StartAttempt>(s, [](StartAttempt& a) { return a.second = false, true; });
       }},
      {"forgets the quarantine",
       [](const SchedulerOptions& s) -> Made {
         return saying<StartAttempt>(s, [](StartAttempt& a) { return a.alone = false, true; });
       }},
      {"cuts back-offs short",
       [](const SchedulerOptions& s) -> Made {
         auto mutant = std::make_unique<Mutant>(s);
         mutant->early = seconds(2);
         return mutant;
       }},
      {"forgets its deadlines",
       [](const SchedulerOptions& s) -> Made {
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
    for (const Mutations& some : {of_what_it_hears(), of_workers(), of_shares(), of_outputs(),
                                  of_streams(), of_commits_and_slots(), of_what_it_says()})
      joined.insert(joined.end(), some.begin(), some.end());
    return joined;
  }();
  return all;
}

}  // namespace muster::simulation
