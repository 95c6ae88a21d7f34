#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <muster/base/ids.hpp>
#include <muster/scheduling/actions.hpp>
#include <muster/scheduling/chunk_set.hpp>
#include <muster/scheduling/job_spec.hpp>
#include <muster/scheduling/progress.hpp>
#include <muster/scheduling/retry_policy.hpp>

namespace muster::scheduling {

/// One job: which of its chunks wait, are ready, run and are done, and what that opens next. Knows
/// nothing of workers, time or other jobs. Not thread-safe.
///
///   waiting --edge satisfied--> ready --start--> running --finish--> done
///                                 ^                |  ^
///                              release   hold/give_back  start
///                                 |                v  |
///                                 +------------- held
///
/// A done chunk whose output is lost while the next stage needs it is ready again. Until its stage
/// is finished anew, nothing of the next stage starts: that is blocked.
///
/// A held chunk waits for something the job does not know about (a back-off, a quarantine) and is
/// either released among the ready ones or started directly. A running chunk may have a second
/// attempt. Every step asserts where it starts from, which is what makes a second commit of a chunk
/// impossible.
///
/// A chunk costs a byte and two bits; only those that have failed have a record. (Those of a stream
/// that run cost more.) All steps take
/// O(log) time, but that opening a stage fills a bitmap, once a stage.
class JobState {
 public:
  JobState(JobId id, std::uint64_t order, const JobSpec& spec);

  JobId id() const { return id_; }
  std::uint64_t order() const { return order_; }
  const JobProgress& progress() const { return progress_; }
  const RetryBudgets& budgets(std::uint32_t stage) const { return stages_[stage].spec.budgets; }
  bool speculates(std::uint32_t stage) const { return stages_[stage].spec.speculate; }
  bool ended() const { return progress_.outcome.has_value(); }
  bool all_done() const { return stages_finished_ == progress_.stages.size(); }

  std::optional<ChunkRef> first_ready() const;  ///< in order of stage, then chunk

  /// Before open(): the chunk has ended earlier. False if that makes no sense.
  bool restore(ChunkRef ref, std::optional<WorkerId> worker);
  /// Opens the stages that wait for nothing. To be called once, before any later step.
  void open(std::vector<Action>& actions);

  void start(ChunkRef ref, AttemptId attempt);
  void start_second(ChunkRef ref, AttemptId attempt);  ///< beside the one that runs
  void release(ChunkRef ref);

  /// The attempt of the chunk does not run any more; `other` still does, if there is one. The
  /// chunk's own step (hold, finish) follows separately, unless the job ends first.
  void detach(ChunkRef ref, AttemptId attempt, std::optional<AttemptId> other);
  void hold(ChunkRef ref, FailureCause cause);
  void give_back(ChunkRef ref);  ///< as hold(), but the attempt was never entered
  void finish(ChunkRef ref, AttemptId attempt, WorkerId worker, std::vector<Action>& actions);

  // Of a stream.
  bool is_stream() const { return is_stream_; }
  bool can_grow(std::uint32_t count) const;  ///< it is not sealed, and has room for so many
  void add_chunks(std::uint32_t count);
  void seal(std::vector<Action>& actions);
  /// The chunk, which runs or is held, is over; its attempts have been detached.
  void fail(ChunkRef ref, FailureCause cause, std::vector<Action>& actions);
  /// Likewise, of one that has not ended.
  void cancel(ChunkRef ref, std::vector<Action>& actions);
  bool has_ended(ChunkRef ref) const;  ///< also if there is no such chunk
  /// The attempt of the chunk, if one runs; the first, if two do.
  std::optional<AttemptId> attempt_of(ChunkRef ref) const;

  /// Nothing of the stage may start just now, though it has been opened.
  bool is_blocked(std::uint32_t index) const;
  bool has_reopened() const { return has_reopened_; }  ///< a chunk, ever
  bool keeps_output(std::uint32_t stage) const { return stages_[stage].spec.keeps_output; }
  /// What was left on the worker is gone. Gives how many chunks are to be run again for that.
  std::uint64_t lose_outputs(WorkerId worker, std::vector<Action>& actions);
  /// What the one chunk left is gone.
  struct Loss {
    std::uint64_t reopened = 0;
    std::optional<WorkerId> has_nothing;  ///< the worker, if that was all it kept for the job
  };
  Loss lose_output(ChunkRef ref, std::vector<Action>& actions);
  /// Workers on which something was left.
  const std::set<WorkerId>& holders() const { return holders_; }

  /// Ends the job: all state of its chunks is dropped, the counts stay.
  void end(Outcome outcome);

  const std::set<AttemptId>& attempts() const { return attempts_; }
  const std::map<ChunkRef, FailureRecord>& failures() const { return failures_; }
  FailureRecord& failure(ChunkRef ref) { return failures_[ref]; }
  const FailureRecord* find_failure(ChunkRef ref) const;

 private:
  enum class Phase : std::uint8_t { waiting, ready, held, running, done };

  struct Stage {
    StageSpec spec;
    bool open = false;  ///< nothing more will become ready because of the stage before
    bool finished = false;
    std::vector<Phase> phases;
    ChunkSet ready;
    std::map<WorkerId, std::set<std::uint32_t>> kept = {};  ///< if it keeps its output: where
    std::set<std::uint32_t> lost = {};                      ///< done, and their output is gone
  };

  void move(ChunkRef ref, Phase from, Phase to);
  void make_ready(ChunkRef ref, Phase from);
  void make_ready_if_waiting(ChunkRef ref);
  void update_ready_stage(std::uint32_t index);
  void open_stage(std::uint32_t index);
  std::uint64_t reopen_what_is_needed(std::vector<Action>& actions);
  void finish_stages_from(std::uint32_t index, std::vector<Action>& actions);

  JobId id_;
  std::uint64_t order_;
  std::vector<Stage> stages_;
  std::uint32_t stages_finished_ = 0;
  std::set<std::uint32_t> ready_stages_;  ///< those with a ready chunk that are not blocked
  std::set<WorkerId> holders_;
  bool has_reopened_ = false;
  bool is_stream_ = false;
  bool sealed_ = false;
  std::map<std::uint32_t, AttemptId> running_;  ///< of a stream: the first attempt of each chunk
  std::set<AttemptId> attempts_;
  std::map<ChunkRef, FailureRecord> failures_;
  JobProgress progress_;
};

}  // namespace muster::scheduling
