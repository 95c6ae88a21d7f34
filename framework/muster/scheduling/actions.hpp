#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/scheduling/failure_cause.hpp>
#include <muster/scheduling/job_spec.hpp>

namespace muster::scheduling {

/// Run the chunk on the worker. Answered by exactly one AttemptSucceeded, AttemptFailed or
/// AttemptReturned, or by WorkerLost; whatever comes after that is ignored.
struct StartAttempt {
  AttemptId attempt;  ///< dense from 1, never used again
  JobId job;
  std::uint32_t stage = 0;
  std::uint32_t chunk = 0;
  WorkerId worker;
  std::uint32_t attempt_number = 1;  ///< 1 for the chunk's first attempt
  bool alone = false;                ///< in a fresh process of its own: the chunk is quarantined
  bool second = false;               ///< beside one that is late: what comes first counts

  friend bool operator==(const StartAttempt&, const StartAttempt&) = default;
};

/// Stop the attempt; its result is not wanted. The end must still be reported: until then its
/// process occupies the slot.
struct CancelAttempt {
  AttemptId attempt;
  WorkerId worker;

  friend bool operator==(const CancelAttempt&, const CancelAttempt&) = default;
};

/// Give the attempt back if it has not been started: another worker has nothing to do. Answered by
/// AttemptReturned; if it has been, by AttemptStarted, or by its end.
struct RecallAttempt {
  AttemptId attempt;
  WorkerId worker;

  friend bool operator==(const RecallAttempt&, const RecallAttempt&) = default;
};

/// The worker was not heard of for the time of its lease, and is treated as lost. What it still
/// sends is of no use: it has to join again.
struct WorkerExpired {
  WorkerId worker;

  friend bool operator==(const WorkerExpired&, const WorkerExpired&) = default;
};

/// Too much has failed on the worker in a row: it gets nothing for a while.
struct WorkerSuspended {
  WorkerId worker;
  Duration time{};

  friend bool operator==(const WorkerSuspended&, const WorkerSuspended&) = default;
};

/// The draining worker has ended all it had, and is forgotten.
struct WorkerReleased {
  WorkerId worker;

  friend bool operator==(const WorkerReleased&, const WorkerReleased&) = default;
};

/// The commit grant: this attempt's result, and no other, is the chunk's. Given once a chunk; again
/// only after ChunkReopened.
struct ChunkFinished {
  JobId job;
  std::uint32_t stage = 0;
  std::uint32_t chunk = 0;
  AttemptId attempt;

  friend bool operator==(const ChunkFinished&, const ChunkFinished&) = default;
};

/// What the chunk had given is lost and needed: the grant is void, and the chunk will run again. No
/// attempt of the next stage starts before this one is finished again.
struct ChunkReopened {
  JobId job;
  std::uint32_t stage = 0;
  std::uint32_t chunk = 0;

  friend bool operator==(const ChunkReopened&, const ChunkReopened&) = default;
};

/// Of a stream: the chunk has used up a retry budget, and is over. The job goes on.
struct ChunkFailed {
  JobId job;
  std::uint32_t chunk = 0;
  std::uint32_t attempts = 0;  ///< how many times it was run, for whatever cause each ended
  FailureCause cause = FailureCause::task_error;  ///< the one whose budget is used up

  friend bool operator==(const ChunkFailed&, const ChunkFailed&) = default;
};

/// Every chunk of the stage is finished; comes before any StartAttempt that waited for it. Said
/// again if the stage had been reopened.
struct StageFinished {
  JobId job;
  std::uint32_t stage = 0;

  friend bool operator==(const StageFinished&, const StageFinished&) = default;
};

enum class Outcome : std::uint8_t { succeeded, failed, cancelled };

/// The chunk that failed a job.
struct JobFailure {
  std::uint32_t stage = 0;
  std::uint32_t chunk = 0;
  std::uint32_t attempts = 0;  ///< how many times the chunk was run, for whatever cause each ended
  FailureCause cause = FailureCause::task_error;  ///< the one whose budget is used up

  friend bool operator==(const JobFailure&, const JobFailure&) = default;
};

/// Given once a job, after the CancelAttempt of all that still ran for it.
struct JobFinished {
  JobId job;
  Outcome outcome = Outcome::succeeded;
  std::optional<JobFailure> failure = {};  ///< set if and only if the outcome is failed

  friend bool operator==(const JobFinished&, const JobFinished&) = default;
};

/// The job was not taken. Nothing else is ever said about this submission; for duplicate_job, the
/// job that had the id first is not affected.
struct JobRejected {
  JobId job;
  Rejection reason = Rejection::duplicate_job;

  friend bool operator==(const JobRejected&, const JobRejected&) = default;
};

using Action = std::variant<StartAttempt, CancelAttempt, RecallAttempt, WorkerExpired,
                            WorkerSuspended, WorkerReleased, ChunkFinished, ChunkReopened,
                            ChunkFailed, StageFinished, JobFinished, JobRejected>;

}  // namespace muster::scheduling
