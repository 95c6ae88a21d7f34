#pragma once

#include <cstdint>
#include <variant>

#include <muster/base/ids.hpp>
#include <muster/scheduling/failure_cause.hpp>
#include <muster/scheduling/job_spec.hpp>

namespace muster::scheduling {

/// A new job; its id must not have been used before. Answered with JobRejected if it cannot be run.
struct JobSubmitted {
  JobId job;
  JobSpec spec;
};

/// A worker that can run `slots` attempts at a time. One that is known already is ignored: a worker
/// that restarted is first lost, then joins.
struct WorkerJoined {
  WorkerId worker;
  std::uint32_t slots = 0;
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

/// Someone does not want the job any more. Ignored if it has ended.
struct JobCancelled {
  JobId job;
};

using Event = std::variant<JobSubmitted, WorkerJoined, WorkerLost, AttemptSucceeded, AttemptFailed,
                           JobCancelled>;

}  // namespace muster::scheduling
