#pragma once

#include <map>

#include "core.hpp"

namespace muster::simulation {

/// The scheduler's rules written down as plainly as they can be: every decision is a search through
/// everything. Shares the retry policy with the real one, so that its jitter is the same, and no
/// other code; given the same events it must give the same actions.
class ReferenceScheduler : public Core {
 public:
  explicit ReferenceScheduler(const SchedulerOptions& options)
      : lease_(options.lease),
        speculation_(options.speculation),
        suspension_(options.suspension),
        policy_(options.back_off, options.seed) {}

  void handle(TimePoint now, const Event& event, std::vector<Action>& actions) override;
  void expire(TimePoint now, std::vector<Action>& actions) override;
  std::optional<TimePoint> next_deadline() const override;

 private:
  struct Chunk {
    bool done = false;
    std::uint32_t running = 0;  ///< attempts
    std::optional<WorkerId> kept_at = {};
    bool lost = false;
    FailureRecord failure;
  };

  struct Job {
    JobId id;
    JobSpec spec;
    JobRank rank;
    std::vector<std::vector<Chunk>> chunks;
    std::vector<std::vector<Duration>> took;  ///< of each stage, the successes
    std::vector<bool> stage_finished;
    bool ended = false;
    bool sealed = false;
    bool forgotten = false;

    bool is_open_stream() const { return !ended && !spec.empty() && spec.front().stream; }
  };

  struct Attempt {
    std::size_t job = 0;
    ChunkRef ref;
    WorkerId worker;
    bool alone = false;
    bool cancelled = false;
    bool recalled = false;
    TimePoint started = {};
    bool kept = false;  ///< though it had been recalled
  };

  struct Straggler {
    AttemptId id;
    TimePoint late_from;
    WorkerId helper;
  };

  struct Worker {
    std::uint32_t slots = 0;
    std::uint32_t ahead = 0;
    bool draining = false;
    bool paused = false;
    TimePoint heard;
    std::uint32_t bad_chunks = 0;
    std::uint32_t suspensions = 0;
    std::optional<Attempt> last_bad = {};
    std::optional<TimePoint> suspended_until = {};
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

  Chunk& chunk(const Attempt& attempt) {
    return jobs_[attempt.job].chunks[attempt.ref.stage][attempt.ref.chunk];
  }
  std::optional<Attempt> take_result(AttemptId id);
  void charge(TimePoint now, const Attempt& attempt, FailureCause cause,
              std::vector<Action>& actions);
  void cancel_attempts(std::size_t job, ChunkRef ref, std::vector<Action>& actions);
  void finish_stages(Job& job, std::vector<Action>& actions);
  static void reopen(Job& job, std::vector<Action>& actions);
  bool keeps_something(WorkerId worker) const;
  void end_job(std::size_t index, const JobFinished& finished, std::vector<Action>& actions);

  bool may_run(const Job& job, ChunkRef ref) const;
  bool is_before(std::size_t job, std::size_t other) const;
  std::int64_t free_slots(WorkerId worker) const;
  bool has_room(WorkerId id) const;
  std::optional<WorkerId> best_worker(std::optional<WorkerId> avoid) const;
  void settle(TimePoint now, std::vector<Action>& actions);
  bool start_first(TimePoint now, std::vector<Action>& actions);
  bool recall_one(std::vector<Action>& actions);
  std::int64_t slots_to_spare() const;
  std::optional<Straggler> first_straggler() const;

  std::optional<Duration> lease_;
  std::optional<SpeculationOptions> speculation_;
  std::optional<SuspensionOptions> suspension_;
  std::optional<TimePoint> next_late_;
  RetryPolicy policy_;
  std::vector<Job> jobs_;
  std::map<WorkerId, Worker> workers_;
  std::map<AttemptId, Attempt> attempts_;
  std::uint64_t attempts_started_ = 0;
};

}  // namespace muster::simulation
