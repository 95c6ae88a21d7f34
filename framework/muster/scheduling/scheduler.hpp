#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/scheduling/actions.hpp>
#include <muster/scheduling/events.hpp>
#include <muster/scheduling/job_state.hpp>
#include <muster/scheduling/progress.hpp>
#include <muster/scheduling/retry_policy.hpp>
#include <muster/scheduling/speculation.hpp>
#include <muster/scheduling/worker_table.hpp>

namespace muster::scheduling {

struct SchedulerOptions {
  std::uint64_t seed = 0;  ///< of the jitter; the same seed and events give the same actions
  BackOff back_off = {};
  /// How long a worker is believed in after a sign of life. None: until it is reported as lost.
  std::optional<Duration> lease = std::nullopt;
  std::optional<SpeculationOptions> speculation = std::nullopt;  ///< none: stragglers are awaited
  std::optional<SuspensionOptions> suspension = std::nullopt;    ///< none: no worker is suspended
};

/// Decides everything about chunks: which runs where and when, what is retried, what is committed.
///
/// A pure state machine. It is told what happened and appends what is to be done; it has no clock,
/// thread, file, log or global state, and the order of its answers depends on its input alone.
/// Owns its state, borrows nothing; not thread-safe. Events may come from outside and may be wrong:
/// what makes no sense is ignored and counted, never asserted.
///
/// Rationale: the local runner and the coordinator share this one brain as thin shells around it,
/// so a simulator can take their place and run every rule below with thousands of virtual workers.
///
/// Rules
///  - Order. Room is given to the job of the highest priority; among equals to the one with the
///    fewest attempts for its weight, then to the one submitted first; in it by stage, then chunk.
///    It is that of the worker with the most free slots, then the lowest id; a worker may hold more
///    than it has slots, to have the next one at hand. A retry goes to another worker than the one
///    that failed it, if any other has room. No room stays while a chunk is ready.
///  - Balance. While slots are free and no chunk is ready, as many attempts that wait at other
///    workers are recalled; each once. One that had started keeps its slot, and the free slot is
///    for others.
///  - Lost output. What a stage keeps on its workers is gone with them, until its job ends. If the
///    next stage needs it, all such chunks run again, together, and nothing of the next stage
///    starts meanwhile; what runs there may fail with input_lost, or may have had it already. A
///    worker that drains is not released before the jobs have ended for which it keeps something.
///  - Stragglers. While slots are free, no chunk is ready and nothing can be recalled, the attempt
///    that has been late for the longest is run a second time, on another worker; of stages that
///    allow it. The first result counts, and the other attempt is cancelled; a failure of one is
///    charged, and the other goes on.
///  - Results. AttemptSucceeded of a running attempt is answered by ChunkFinished, the only commit
///    grant. What is reported of unknown, ended or cancelled attempts is counted as stale.
///    Rationale: a chunk has at most one running attempt and leaves that state once, so the grant
///    cannot be given twice, whatever is duplicated, delayed or reordered on the way.
///  - Failures are charged to (chunk, cause). When the budget of a cause is used up, the job fails
///    with it; until then the chunk is tried again (RetryPolicy). A chunk that crashed twice is
///    quarantined: alone in a fresh process, and one such chunk at a time in the whole scheduler.
///    Others overtake it while it waits for its turn.
///  - Slots. A cancelled attempt holds its slot until its end is reported or its worker is lost.
///    Rationale: its process still uses the memory and CPU that the slot stands for.
///  - Workers. One that is lost, or whose lease is over, takes its slots with it. It runs attempts
///    in the order in which it got them: as many as it has slots fail with worker_lost, those
///    behind them go back uncharged. One that drains gets nothing more, and is released when it has
///    nothing left; one that is paused gets nothing until it is resumed, and one on which chunk
///    after chunk fails is suspended for a while (SuspensionOptions).
///  - Streams. A chunk of a stream ends by itself: one that has used up a budget is over, and so is
///    one that is cancelled. The job ends when it is sealed and all its chunks have ended.
///  - End. A job ends once. If it fails or is cancelled, its attempts are cancelled first and
///    nothing is started or committed for it any more.
///
/// Cost: O(log) in jobs, workers, running attempts and chunks, for each event and each action it
/// causes; nothing is ever searched. A submission and the opening of a stage touch each of its
/// chunks once, at a few bytes a chunk. A finished job keeps its counts and no chunk, until it
/// is forgotten.
class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options);

  /// Appends what the event leads to, in the order in which it is to be carried out. `now` must
  /// not go back; it does not replace expire().
  void handle(TimePoint now, const Event& event, std::vector<Action>& actions);

  /// Does what was due at `now` or before. Calling it early or twice is harmless.
  void expire(TimePoint now, std::vector<Action>& actions);

  /// When expire() next has something to do; empty if only an event can change anything.
  std::optional<TimePoint> next_deadline() const;

  /// The counts of a job, valid until the next call; null if no job of that id was taken.
  const JobProgress* find_job(JobId job) const;

  const Counters& counters() const { return counters_; }
  std::uint64_t free_slots() const { return workers_.free_slots(); }
  std::size_t worker_count() const { return workers_.size(); }
  std::size_t attempts_running() const { return attempts_.size(); }  ///< cancelled ones included

 private:
  struct Attempt {
    JobId job;
    ChunkRef ref;
    WorkerId worker;
    bool alone = false;
    bool cancelled = false;
    bool recalled = false;
    TimePoint started = {};
    std::optional<AttemptId> twin = {};  ///< the other attempt of the same chunk
  };

  using AttemptMap = std::map<AttemptId, Attempt>;

  /// A chunk that waits for something, in the order of submission.
  struct QueuedChunk {
    std::uint64_t order = 0;
    JobId job;
    ChunkRef ref;

    friend auto operator<=>(const QueuedChunk&, const QueuedChunk&) = default;
  };

  struct Deadline {
    TimePoint at;
    QueuedChunk chunk;

    friend auto operator<=>(const Deadline&, const Deadline&) = default;
  };

  /// A job's place among those that want room: the least comes first.
  struct Turn {
    std::int64_t priority = 0;  ///< negated
    std::uint64_t share = 0;    ///< attempts for the weight
    std::uint64_t order = 0;
    JobId job;

    friend auto operator<=>(const Turn&, const Turn&) = default;
  };

  /// A stage with an attempt that is, or will be, a straggler.
  struct Late {
    TimePoint from;
    std::uint64_t order = 0;
    std::uint32_t stage = 0;
    AttemptId attempt;

    friend auto operator<=>(const Late&, const Late&) = default;
  };

  struct StageTimes {
    Stragglers stragglers = {};
    std::optional<Late> late = {};  ///< as it stands in late_
  };

  struct Job {
    JobState state;
    JobRank rank;
    std::vector<StageTimes> times;
    std::set<ChunkRef> parked = {};  ///< chunks in quarantine whose stage is blocked
    std::optional<Turn> turn = {};   ///< as it stands in ready_jobs_
  };

  struct Choice {
    Turn turn;
    QueuedChunk chunk;
  };

  void on(TimePoint now, const JobSubmitted& event, std::vector<Action>& actions);
  void on(TimePoint now, const WorkerJoined& event, std::vector<Action>& actions);
  void on(TimePoint now, const WorkerHeard& event, std::vector<Action>& actions);
  void on(TimePoint now, const WorkerDraining& event, std::vector<Action>& actions);
  void on(TimePoint now, const WorkerPaused& event, std::vector<Action>& actions);
  void on(TimePoint now, const WorkerResumed& event, std::vector<Action>& actions);
  void on(TimePoint now, const WorkerLost& event, std::vector<Action>& actions);
  void on(TimePoint now, const AttemptSucceeded& event, std::vector<Action>& actions);
  void on(TimePoint now, const AttemptFailed& event, std::vector<Action>& actions);
  void on(TimePoint now, const AttemptReturned& event, std::vector<Action>& actions);
  void on(TimePoint now, const AttemptStarted& event, std::vector<Action>& actions);
  void on(TimePoint now, const OutputLost& event, std::vector<Action>& actions);
  void on(TimePoint now, const JobCancelled& event, std::vector<Action>& actions);
  void on(TimePoint now, const ChunksAdded& event, std::vector<Action>& actions);
  void on(TimePoint now, const StreamSealed& event, std::vector<Action>& actions);
  void on(TimePoint now, const ChunkCancelled& event, std::vector<Action>& actions);
  void on(TimePoint now, const JobForgotten& event, std::vector<Action>& actions);

  void restore(Job& job, const RestoredChunk& chunk);
  void lose(TimePoint now, WorkerId worker, const WorkerTable::Left& left,
            std::vector<Action>& actions);
  void lose_outputs(WorkerId worker, std::vector<Action>& actions);
  void forget_holder(WorkerId worker, JobId job);
  void update_blocked(Job& job);
  void release_drained(std::vector<Action>& actions);
  void settle(TimePoint now, std::vector<Action>& actions);
  std::optional<Attempt> take_result(AttemptId id);
  Job* running_job(JobId id);
  void end_chunk(Job& job, ChunkRef ref, std::optional<FailureCause> cause,
                 std::vector<Action>& actions);
  void cancel(AttemptId id, std::vector<Action>& actions);
  void watch(AttemptId id, const Attempt& attempt, bool watched);
  void update_late(Job& job, std::uint32_t stage);
  Attempt remove_attempt(AttemptMap::iterator entry);
  void charge(TimePoint now, const Attempt& attempt, FailureCause cause,
              std::vector<Action>& actions);
  void give_back(const Attempt& attempt);
  void judge(TimePoint now, const Attempt& attempt, FailureCause cause,
             std::vector<Action>& actions);
  void requeue(Job& job, ChunkRef ref);
  void end_if_done(Job& job, std::vector<Action>& actions);
  void end_job(Job& job, const JobFinished& finished, std::vector<Action>& actions);

  static Turn turn_of(const Job& job);
  void update_ready(Job& job);
  std::optional<QueuedChunk> next_chunk() const;
  void start(TimePoint now, const QueuedChunk& next, std::vector<Action>& actions);
  void dispatch(TimePoint now, std::vector<Action>& actions);
  void recall(std::vector<Action>& actions);
  void speculate(TimePoint now, std::vector<Action>& actions);
  bool has_slots_to_spare() const { return workers_.free_slots() > recalls_; }

  std::optional<SpeculationOptions> speculation_;
  std::optional<SuspensionOptions> suspension_;
  RetryPolicy policy_;
  WorkerTable workers_;
  std::map<JobId, Job> jobs_;
  AttemptMap attempts_;  ///< what occupies a slot, cancelled ones included

  std::set<Turn> ready_jobs_;                    ///< those with a ready chunk
  std::map<WorkerId, std::set<JobId>> holders_;  ///< workers that keep something, for which jobs
  std::set<QueuedChunk> quarantine_;  ///< held chunks that wait for their turn to run alone
  std::set<Deadline> deadlines_;      ///< held chunks that wait for their back-off
  bool alone_running_ = false;
  std::set<Late> late_;                 ///< a stage each
  std::optional<TimePoint> next_late_;  ///< when the next straggler can be helped
  std::uint64_t recalls_ = 0;           ///< attempts that were recalled and may not have started
  std::uint64_t submitted_ = 0;         ///< jobs
  Counters counters_;
};

}  // namespace muster::scheduling
