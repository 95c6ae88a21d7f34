#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <muster/cli/stop_signals.hpp>
#include <muster/cli/views.hpp>
#include <muster/jobs/job_spec.hpp>

namespace muster::cli {

/// A job that a cluster is to run.
struct ClusterRun {
  jobs::JobSpec spec;
  std::string coordinator;     ///< its address
  std::filesystem::path keys;  ///< empty: none
  std::int32_t priority = 0;
  bool dry_run = false;
};

/// Plans the job here, hands it over, and follows it to its end; an interrupt cancels it. What
/// plugins do when they are loaded they do in a task process here, as when a job runs here. Throws
/// Error as LocalJobs::run does, and those of JobClient.
void run_on_cluster(const ClusterRun& run, JobView& view, const StopSignals& signals,
                    const std::function<void(std::string_view)>& write_result);

/// Hands the job over and gives its number: it needs an output directory, and nobody who waits.
std::uint64_t submit_to_cluster(const ClusterRun& run, const StopSignals& signals);

}  // namespace muster::cli
