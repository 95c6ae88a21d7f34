#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core.hpp"

namespace muster::simulation {

/// Watches the events that go into a core and the actions that come out, keeps its own account of
/// what they mean, and says which promise is broken. Knows nothing of how the core works, and not
/// the jitter: of a back-off it knows the bounds.
///
///  - a chunk commits once, for the attempt that just succeeded and was neither ended nor cancelled
///  - attempts stay within their budgets, and the job fails when, and with the cause by which, one
///    is used up; a job ends once, as what happened to it implies, after its attempts are cancelled
///  - slots are never oversubscribed, and none is free while a chunk could run
///  - a chunk starts only after what it waits for; stages finish in order and completely
///  - attempt ids are dense, attempt numbers count up, quarantined chunks run alone
///  - a back-off is neither cut short nor forgotten
class Auditor {
 public:
  /// One call of the core: the event it was given (null for expire) and all it answered.
  void step(TimePoint now, const Event* event, const std::vector<Action>& actions,
            std::optional<TimePoint> next_deadline);

  /// Compares the counts that the core keeps with the account.
  void check_progress(const Core& core);

  /// After the last step of a run that was to come to its end.
  void check_all_ended();

  const std::vector<std::string>& violations() const { return violations_; }
  /// Empty if the job runs, or was not submitted.
  std::optional<Outcome> outcome(JobId job) const;
  std::uint64_t commits() const { return commits_; }
  std::uint64_t failures(FailureCause cause) const { return failures_[cause]; }
  std::uint64_t stale() const { return stale_; }

 private:
  enum class Queue : std::uint8_t { none, startable, quarantined };

  struct Chunk {
    bool committed = false;
    bool running = false;
    Queue counted = Queue::none;
    PerCause<std::uint32_t> charges = {};
    std::uint32_t failures = 0;
    std::optional<TimePoint> not_before;  ///< of a back-off
    std::optional<TimePoint> latest;      ///< of a back-off; empty once it must be over
  };

  struct Stage {
    StageSpec spec;
    std::vector<Chunk> chunks;
    std::uint32_t committed = 0;
    std::uint32_t running = 0;
    bool finished = false;
  };

  struct Job {
    std::vector<Stage> stages;
    std::size_t stages_finished = 0;
    std::optional<Outcome> outcome;
    std::set<AttemptId> attempts;
  };

  struct Attempt {
    JobId job;
    ChunkRef ref;
    WorkerId worker;
    bool alone = false;
    bool cancelled = false;
  };

  struct Worker {
    std::uint32_t slots = 0;
    std::set<AttemptId> attempts;
  };

  struct Held {
    TimePoint latest;
    JobId job;
    ChunkRef ref;
    friend auto operator<=>(const Held&, const Held&) = default;
  };

  void on_event(const JobSubmitted& event);
  void on_event(const WorkerJoined& event);
  void on_event(const WorkerLost& event);
  void on_event(const AttemptSucceeded& event);
  void on_event(const AttemptFailed& event);
  void on_event(const JobCancelled& event);
  void on_expire();

  void on_action(const StartAttempt& action);
  void on_action(const CancelAttempt& action);
  void on_action(const ChunkFinished& action);
  void on_action(const StageFinished& action);
  void on_action(const JobFinished& action);
  void on_action(const JobRejected& action);

  void check_start(const StartAttempt& action, const Job& job, const Chunk& chunk);
  void check_settled(std::optional<TimePoint> next_deadline);
  void check_held(std::optional<TimePoint> next_deadline);
  void expect(bool condition, const std::string& what);

  std::optional<Attempt> take_off(AttemptId id, bool free_slot);
  void charge(const Attempt& attempt, FailureCause cause);
  bool dependence_met(const Job& job, ChunkRef ref) const;
  void recount(Job& job, ChunkRef ref);
  void recount_stage(Job& job, std::uint32_t stage);

  TimePoint now_{};
  std::uint64_t steps_ = 0;
  std::vector<std::string> violations_;

  std::map<JobId, Job> jobs_;
  std::map<WorkerId, Worker> workers_;
  std::map<AttemptId, Attempt> attempts_;
  std::uint64_t last_attempt_ = 0;
  std::uint64_t free_slots_ = 0;
  std::uint64_t startable_ = 0;
  std::uint64_t quarantined_ = 0;  ///< could run but for their turn
  std::uint64_t alone_running_ = 0;
  std::set<Held> held_;

  // What the event of this step calls for and has not been seen yet.
  std::optional<ChunkFinished> expected_commit_;
  std::optional<JobRejected> expected_rejection_;
  std::map<JobId, JobFinished> expected_ends_;

  std::uint64_t commits_ = 0;
  PerCause<std::uint64_t> failures_ = {};
  std::uint64_t stale_ = 0;
};

}  // namespace muster::simulation
