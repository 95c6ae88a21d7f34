#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/jobs/job_run.hpp>
#include <muster/jobs/stage.hpp>
#include <muster/observe/job_events.hpp>
#include <muster/scheduling/failure_cause.hpp>

namespace muster::jobs {

/// Runs the stages of one job on a process pool: the shell around the scheduler. It feeds the
/// scheduler what happened and carries out what it says; it decides nothing about chunks itself.
///
/// Returns when the job has succeeded. Throws Error: the failure of the chunk that failed the job,
/// or cancelled after a stop request; every attempt has ended by then. Blocks the calling thread;
/// a stop request is seen within a tenth of a second.
std::vector<StageReport> run_stages(std::vector<std::unique_ptr<Stage>> stages,
                                    ProcessPoolExecutor& pool, observe::JobObserver& observer,
                                    const std::stop_token& stop);

}  // namespace muster::jobs
