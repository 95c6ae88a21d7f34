#pragma once

#include <map>

#include "core.hpp"

namespace muster::simulation {

/// The scheduler's rules written down as plainly as they can be: every decision is a search through
/// everything. Shares the retry policy with the real one, so that its jitter is the same, and no
/// other code; given the same events it must give the same actions.
class ReferenceScheduler : public Core {
 public:
  explicit ReferenceScheduler(std::uint64_t seed) : policy_({}, seed) {}

  void handle(TimePoint now, const Event& event, std::vector<Action>& actions) override;
  void expire(TimePoint now, std::vector<Action>& actions) override;
  std::optional<TimePoint> next_deadline() const override;

 private:
  struct Chunk {
    bool done = false;
    bool running = false;
    FailureRecord failure;
  };

  struct Job {
    JobId id;
    JobSpec spec;
    std::vector<std::vector<Chunk>> chunks;
    std::vector<bool> stage_finished;
    bool ended = false;
  };

  struct Attempt {
    std::size_t job = 0;
    ChunkRef ref;
    WorkerId worker;
    bool alone = false;
    bool cancelled = false;
  };

  void on(TimePoint now, const JobSubmitted& event, std::vector<Action>& actions);
  void on(TimePoint now, const WorkerJoined& event, std::vector<Action>& actions);
  void on(TimePoint now, const WorkerLost& event, std::vector<Action>& actions);
  void on(TimePoint now, const AttemptSucceeded& event, std::vector<Action>& actions);
  void on(TimePoint now, const AttemptFailed& event, std::vector<Action>& actions);
  void on(TimePoint now, const JobCancelled& event, std::vector<Action>& actions);

  Chunk& chunk(const Attempt& attempt) {
    return jobs_[attempt.job].chunks[attempt.ref.stage][attempt.ref.chunk];
  }
  std::optional<Attempt> take_result(AttemptId id);
  void charge(TimePoint now, const Attempt& attempt, FailureCause cause,
              std::vector<Action>& actions);
  void finish_stages(Job& job, std::vector<Action>& actions);
  void end_job(std::size_t index, const JobFinished& finished, std::vector<Action>& actions);

  bool may_run(const Job& job, ChunkRef ref) const;
  std::uint32_t free_slots(WorkerId worker) const;
  std::optional<WorkerId> best_worker(std::optional<WorkerId> avoid) const;
  bool start_first(std::vector<Action>& actions);

  RetryPolicy policy_;
  std::vector<Job> jobs_;
  std::map<WorkerId, std::uint32_t> workers_;
  std::map<AttemptId, Attempt> attempts_;
  std::uint64_t attempts_started_ = 0;
};

}  // namespace muster::simulation
