#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core.hpp"

namespace muster::simulation {

/// What happened to workers, and to what waited there.
struct WorkerCounts {
  std::uint64_t recalled = 0;
  std::uint64_t kept = 0;
  std::uint64_t returned = 0;
  std::uint64_t expired = 0;
  std::uint64_t released = 0;
  std::uint64_t speculative = 0;  ///< second attempts
  std::uint64_t suspended = 0;
  std::uint64_t reopened = 0;   ///< chunks whose output was lost and needed
  std::uint64_t overtaken = 0;  ///< first attempts that were cancelled for the second's success
};

/// What happened to chunks of streams.
struct StreamCounts {
  std::uint64_t added = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t forgotten = 0;  ///< jobs
};

/// Watches the events that go into a core and the actions that come out, keeps its own account of
/// what they mean, and says which promise is broken. Knows nothing of how the core works, and not
/// the jitter: of a back-off it knows the bounds.
///
///  - what workers kept is gone with them: if the next stage is not complete, it is made again
///    before anything of that starts; and else not
///  - a chunk has a second attempt only if its stage allows that and the first one is late, and
///    never a third; when one is committed, the other is cancelled
///  - a chunk commits once, for the attempt that just succeeded and was neither ended nor cancelled
///  - attempts stay within their budgets, and the job fails when, and with the cause by which, one
///    is used up; a job ends once, as what happened to it implies, after its attempts are cancelled
///  - workers never hold more than they have room for, and no room is left while a chunk could run;
///    what waits is recalled while slots are free, and only then
///  - jobs get room by priority, then by their share
///  - a worker is given up when its lease is over, and no earlier; what it had not started is not
///    charged; one that drains gets nothing and is released at its end; one that is paused gets
///    none, nor one that is suspended, which it is if chunk after chunk failed there, and only then
///  - a chunk of a stream fails when a budget is used up, and then only; what is cancelled stops at
///    once; a sealed stream ends with its last chunk, and no earlier
///  - a chunk starts only after what it waits for; stages finish in order and completely
///  - attempt ids are dense, attempt numbers count up, quarantined chunks run alone
///  - a back-off is neither cut short nor forgotten
class Auditor {
 public:
  explicit Auditor(const SchedulerOptions& options)
      : lease_(options.lease), speculation_(options.speculation), suspension_(options.suspension) {}

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
  const WorkerCounts& workers() const { return counts_; }
  const StreamCounts& streams() const { return stream_counts_; }

 private:
  enum class Queue : std::uint8_t { none, startable, quarantined };

  struct Chunk {
    bool committed = false;
    bool over = false;          ///< of a stream: failed or cancelled
    std::uint32_t running = 0;  ///< attempts
    Queue counted = Queue::none;
    std::optional<WorkerId> kept_at;
    PerCause<std::uint32_t> charges = {};
    std::uint32_t failures = 0;
    std::optional<TimePoint> not_before;  ///< of a back-off
    std::optional<TimePoint> latest;      ///< of a back-off; empty once it must be over
  };

  struct Stage {
    StageSpec spec;
    std::vector<Chunk> chunks;
    std::uint32_t committed = 0;
    std::uint32_t running = 0;  ///< chunks
    std::uint32_t failed = 0;
    std::uint32_t cancelled = 0;
    bool finished = false;

    bool is_complete() const { return committed + failed + cancelled == chunks.size(); }
    Duration took{};  ///< by the attempts that were committed
    std::uint64_t successes = 0;
    std::set<std::uint32_t> lost;  ///< chunks whose output is gone
  };

  struct Job {
    std::vector<Stage> stages;
    std::size_t stages_finished = 0;
    std::optional<Outcome> outcome;
    std::set<AttemptId> attempts;
    JobRank rank;
    std::uint64_t order = 0;
    std::uint64_t startable = 0;
    bool sealed = false;
    bool forgotten = false;

    bool is_stream() const { return !stages.empty() && stages.front().spec.stream; }
  };

  struct Attempt {
    JobId job;
    ChunkRef ref;
    WorkerId worker;
    bool alone = false;
    bool cancelled = false;
    bool recalled = false;
    TimePoint started;
    bool kept = false;  ///< it had started when it was recalled
  };

  struct Worker {
    WorkerId id;
    std::uint32_t slots = 0;
    std::uint32_t ahead = 0;
    TimePoint heard;
    bool draining = false;
    bool paused = false;
    std::optional<TimePoint> suspended_until;
    std::uint32_t bad_chunks = 0;
    std::optional<std::pair<JobId, ChunkRef>> last_bad;
    std::set<AttemptId> attempts;
    std::uint64_t kept = 0;  ///< outputs for jobs that run

    bool is_open() const { return !draining && !paused && !suspended_until; }
    std::uint64_t room() const {
      return is_open() ? std::uint64_t{slots} + ahead - attempts.size() : 0;
    }
    std::uint64_t free_slots() const {
      return room() > 0 && slots > attempts.size() ? slots - attempts.size() : 0;
    }
  };

  struct Held {
    TimePoint latest;
    JobId job;
    ChunkRef ref;
    friend auto operator<=>(const Held&, const Held&) = default;
  };

  void on_event(const JobSubmitted& event);
  void restore(JobId id, Job& job, const RestoredChunk& restored);
  void on_event(const WorkerJoined& event);
  void on_event(const WorkerHeard& event);
  void on_event(const WorkerDraining& event);
  void on_event(const WorkerPaused& event);
  void on_event(const WorkerResumed& event);
  void on_event(const WorkerLost& event);
  void on_event(const AttemptSucceeded& event);
  void on_event(const AttemptFailed& event);
  void on_event(const AttemptReturned& event);
  void on_event(const AttemptStarted& event);
  void on_event(const OutputLost& event);
  void on_event(const JobCancelled& event);
  void on_event(const ChunksAdded& event);
  void on_event(const StreamSealed& event);
  void on_event(const ChunkCancelled& event);
  void on_event(const JobForgotten& event);
  void on_expire();
  void end_first_back_off();

  void on_action(const StartAttempt& action);
  void on_action(const CancelAttempt& action);
  void on_action(const RecallAttempt& action);
  void on_action(const WorkerExpired& action);
  void on_action(const WorkerSuspended& action);
  void on_action(const WorkerReleased& action);
  void on_action(const ChunkFinished& action);
  void on_action(const ChunkReopened& action);
  void on_action(const ChunkFailed& action);
  void on_action(const StageFinished& action);
  void on_action(const JobFinished& action);
  void on_action(const JobRejected& action);

  void check_start(const StartAttempt& action, const Job& job, const Chunk& chunk);
  void check_second(const StartAttempt& action, const Stage& stage, const Worker& worker);
  void stop_running(const Attempt& attempt);
  void check_settled(bool was_expire, std::optional<TimePoint> next_deadline);
  void check_workers(bool was_expire, std::optional<TimePoint> next_deadline);
  void check_turn(JobId id, const Job& job);
  void check_held(std::optional<TimePoint> next_deadline);
  void check_streams();
  Job* open_stream(JobId id);
  void end_chunk(JobId id, Job& job, std::uint32_t index);
  void expect(bool condition, const std::string& what);

  std::optional<Attempt> take_off(AttemptId id, bool free_slot);
  void charge(const Attempt& attempt, FailureCause cause);
  void judge(const Attempt& attempt, FailureCause cause);
  void lose(WorkerId id);
  void lose_output(JobId id, ChunkRef ref);
  void check_lost();
  std::uint64_t waiting_at(const Worker& worker) const;
  /// Changes a worker, or its attempts, and what is summed up over all of them.
  template <class Change>
  void change(Worker& worker, Change make) {
    count(worker, -1);
    make();
    count(worker, 1);
  }
  void count(const Worker& worker, int sign);
  void remove(std::map<WorkerId, Worker>::iterator worker);
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
  std::optional<Duration> lease_;
  std::optional<SpeculationOptions> speculation_;
  std::optional<SuspensionOptions> suspension_;
  std::uint64_t recalls_out_ = 0;

  // Over all workers.
  std::int64_t room_ = 0;
  std::int64_t free_slots_ = 0;
  std::int64_t waiting_ = 0;
  std::int64_t unreleased_ = 0;
  std::set<std::pair<TimePoint, WorkerId>> leases_;
  std::set<std::pair<TimePoint, WorkerId>> suspended_;
  std::map<WorkerId, std::set<std::pair<JobId, ChunkRef>>> kept_;
  std::set<JobId> with_losses_;
  std::uint64_t startable_ = 0;
  std::uint64_t quarantined_ = 0;  ///< could run but for their turn
  std::uint64_t alone_running_ = 0;
  std::set<Held> held_;

  // What the event of this step calls for and has not been seen yet.
  std::optional<ChunkFinished> expected_commit_;
  WorkerId committing_;
  std::optional<JobRejected> expected_rejection_;
  std::map<JobId, JobFinished> expected_ends_;
  std::optional<WorkerId> expected_suspension_;
  std::map<std::pair<JobId, std::uint32_t>, ChunkFailed> expected_failures_;
  std::set<std::pair<JobId, std::uint32_t>> over_;  ///< chunks that have ended without a commit
  std::set<JobId> moved_streams_;                   ///< those that may have come to their end

  std::uint64_t commits_ = 0;
  PerCause<std::uint64_t> failures_ = {};
  std::uint64_t stale_ = 0;
  WorkerCounts counts_;
  StreamCounts stream_counts_;
};

}  // namespace muster::simulation
