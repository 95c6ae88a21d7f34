#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <muster/futures/future.hpp>
#include <muster/jobs/run_job.hpp>

namespace muster {

namespace cluster {
class FollowedJob;
}

/// How a job is run by a cluster.
struct JobOptions {
  /// Of two jobs that wait for the same slots the one of the higher priority gets them.
  std::int32_t priority = 0;
};

/// A chunk of a job that has succeeded.
struct ChunkReport {
  std::string stage;           ///< "count", "map" or "reduce"
  std::uint32_t chunk = 0;     ///< of its stage, from 0 on
  std::uint32_t attempts = 0;  ///< how many it took; 0: not known, nobody listened when it ended
  std::string worker;          ///< that ran it; empty: likewise
};

/// A job that a cluster runs: see ClusterExecutor::run(). A copy is of the same job.
///
/// Thread-safe, and may outlive the executor. The job does not end with its handles; one without an
/// output directory ends with its executor's connection.
class JobHandle {
 public:
  /// As 'muster status' takes it.
  std::uint64_t id() const noexcept;

  /// A future for each chunk, stage by stage. They are done in the order in which chunks end, some
  /// tenths of a second later, and all of them before report() is. Those of a job that fails or is
  /// cancelled end as the job does. A chunk cannot be cancelled alone. If what a map chunk has left
  /// gets lost with its worker it is run again, though its future is done. Callbacks run in the
  /// thread that completes all of them, in which most signals are blocked: one that waits for
  /// another future of its job waits for ever.
  const std::vector<Future<ChunkReport>>& chunks() const noexcept;

  /// What the whole job did; or the Error that it failed with, with the code that LocalJobs::run()
  /// would throw; Error(io) if the coordinator was given up. Cancelled with the job; but if the
  /// coordinator has cancelled it, since this client was away for too long, Error(cancelled).
  Future<jobs::JobReport> report() const;

  /// The result of a job without an output directory: whole lines in order, as LocalJobs::run()
  /// passes them on. Waits for the job, and throws what report() throws. For one with an output
  /// directory Error(usage).
  void read(const std::function<void(std::string_view)>& write) const;

  /// Asks the coordinator to stop it. Throws Error(io) if that cannot be reached. A job that has
  /// ended stays as it is.
  void cancel() const;

  /// By ClusterExecutor.
  explicit JobHandle(std::shared_ptr<cluster::FollowedJob> job) : job_(std::move(job)) {}
  JobHandle(const JobHandle&) = default;
  JobHandle(JobHandle&&) noexcept = default;
  JobHandle& operator=(const JobHandle&) = default;
  JobHandle& operator=(JobHandle&&) noexcept = default;
  ~JobHandle();  ///< in a forked child its parent's files stay

 private:
  std::shared_ptr<cluster::FollowedJob> job_;
};

}  // namespace muster
