#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <muster/base/ids.hpp>
#include <muster/scheduling/failure_cause.hpp>
#include <muster/scheduling/job_spec.hpp>

namespace muster::scheduling {

/// A chunk that has ended in an earlier life of the scheduler.
struct RestoredChunk {
  std::uint32_t stage = 0;
  std::uint32_t chunk = 0;
  std::optional<WorkerId> worker = {};  ///< that still has what it left, if its stage keeps that
};

/// A new job; its id must not have been used before. Answered with JobRejected if it cannot be run.
/// Chunks that are restored are done: no commit is granted for them, unless what they left is lost.
/// Of them, those of workers that are not known are ignored, as are those of streams, and those
/// behind an `each` edge if the chunk before is not restored; so they come in the order of stages.
struct JobSubmitted {
  JobId job;
  JobSpec spec;
  JobRank rank = {};
  std::vector<RestoredChunk> restored = {};
};

/// A worker that can run `slots` attempts at a time, and hold `ahead` more that wait for one, which
/// it starts in the order in which it got them. One that is known already is ignored: a worker that
/// restarted is first lost, then joins.
struct WorkerJoined {
  WorkerId worker;
  std::uint32_t slots = 0;
  std::uint32_t ahead = 0;
};

/// More chunks of a stream, numbered on. Ignored of other jobs, and beyond chunks_max.
struct ChunksAdded {
  JobId job;
  std::uint32_t count = 0;
};

/// No more chunks of the stream will come: the job ends when those that there are have.
struct StreamSealed {
  JobId job;
};

/// Someone does not want this chunk of a stream any more: it is over. Ignored if it has ended.
struct ChunkCancelled {
  JobId job;
  std::uint32_t chunk = 0;
};

/// Nobody will ask for the counts of the job any more, which has ended.
struct JobForgotten {
  JobId job;
};

/// A sign of life of the worker: its lease begins anew.
struct WorkerHeard {
  WorkerId worker;
};

/// The worker gets nothing more, and leaves when it has ended what it has: answered by
/// WorkerReleased then. For good: there is no way back but to join again.
struct WorkerDraining {
  WorkerId worker;
};

/// The worker gets nothing more until it is resumed: its disk is full, say.
struct WorkerPaused {
  WorkerId worker;
};
struct WorkerResumed {
  WorkerId worker;
};

/// The worker and all that ran on it are gone. It may join again, under the same id.
struct WorkerLost {
  WorkerId worker;
};

/// The attempt ended and its result is there, to be committed if the answer is ChunkFinished.
struct AttemptSucceeded {
  AttemptId attempt;
};

/// The attempt ended without a result. Also how the end of a cancelled attempt is reported.
struct AttemptFailed {
  AttemptId attempt;
  FailureCause cause = FailureCause::task_error;
};

/// The worker has given the attempt back and never entered its task: it was recalled, or the worker
/// drains. The chunk goes back to the others, and nothing is charged.
struct AttemptReturned {
  AttemptId attempt;
};

/// The worker has entered the attempt's task. To be said of recalled attempts, for which that was
/// too late; ignored of others.
struct AttemptStarted {
  AttemptId attempt;
};

/// What the chunk's attempt had left on its worker is not there any more, or is damaged, though the
/// worker lives. Ignored of chunks that are not done or keep nothing.
struct OutputLost {
  JobId job;
  std::uint32_t stage = 0;
  std::uint32_t chunk = 0;
};

/// Someone does not want the job any more. Ignored if it has ended.
struct JobCancelled {
  JobId job;
};

using Event = std::variant<JobSubmitted, WorkerJoined, WorkerHeard, WorkerDraining, WorkerPaused,
                           WorkerResumed, WorkerLost, AttemptSucceeded, AttemptFailed,
                           AttemptReturned, AttemptStarted, OutputLost, JobCancelled, ChunksAdded,
                           StreamSealed, ChunkCancelled, JobForgotten>;

}  // namespace muster::scheduling
