#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string_view>
#include <vector>

#include <muster/executors/process_pool.hpp>
#include <muster/jobs/job_spec.hpp>
#include <muster/jobs/local_runner.hpp>
#include <muster/jobs/plan.hpp>
#include <muster/observe/job_events.hpp>

namespace muster::jobs {

/// What a job did.
struct JobReport {
  std::vector<StageReport> stages;   ///< in the order in which they ran
  std::uint64_t input_bytes = 0;     ///< of all files
  std::uint64_t records_mapped = 0;  ///< pairs emitted, or lines written by a map-only task
  std::uint64_t records = 0;         ///< lines of the result
  std::uint64_t result_bytes = 0;    ///< of the result
  std::uint32_t parts = 0;           ///< part files
  std::uint64_t retries = 0;         ///< failed attempts that were tried again
  Duration elapsed{};                ///< from the call to the return
};

/// Runs jobs on this machine, in the processes of a pool.
///
/// The result appears as a whole or not at all: in `spec.output` by a rename, or passed to
/// `write_result` in order once all chunks are done (sorted by key bytes; a map-only task's lines
/// in input order). Files of the job's own lie in a directory below spec.temp_parent that is gone
/// when the call returns.
///
/// Throws Error: usage and plugin before anything ran; task, worker_died, no_space, io, corrupt or
/// limit for a job that failed; cancelled after a stop request. Blocks; one call at a time a pool.
class LocalJobs {
 public:
  /// The pool must outlive this object, and should have `prefetch = 0`: chunks are long.
  LocalJobs(ProcessPoolExecutor& pool, observe::JobObserver& observer, std::stop_token stop)
      : pool_(pool), observer_(observer), stop_(std::move(stop)) {}

  /// Runs the job to its end. `write_result` is not called if spec.output is given.
  JobReport run(const JobSpec& spec, const std::function<void(std::string_view)>& write_result);

  /// What run() would do, without doing it. `visit` gets the plan while its files exist.
  void explain(const JobSpec& spec, const std::function<void(const Plan&)>& visit);

 private:
  ProcessPoolExecutor& pool_;
  observe::JobObserver& observer_;
  std::stop_token stop_;
};

}  // namespace muster::jobs
