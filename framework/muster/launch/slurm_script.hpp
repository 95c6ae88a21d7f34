#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <muster/launch/cluster_spec.hpp>
#include <muster/launch/launcher.hpp>

namespace muster::launch {

/// The name of the cluster's jobs: by it they are found, so it has the cluster's token.
std::string slurm_job_name(const ClusterSpec& spec);

/// The options of sbatch for an array of `count` workers that log to `logs`: Muster's own, then
/// those of the user, which win. Throws Error(usage) for options of the user that would take the
/// jobs out of Muster's hands, and for a directory that sbatch cannot be told.
std::vector<std::string> sbatch_options(const ClusterSpec& spec, unsigned count,
                                        const std::filesystem::path& logs);

/// The whole job script, the options included: `sbatch FILE` submits it.
std::string slurm_script(const ClusterSpec& spec, unsigned count,
                         const std::filesystem::path& logs);

/// The job id that `sbatch --parsable` has printed. Throws Error(broken) that shows it.
std::string parse_job_id(std::string_view printed);

/// What squeue is asked to print of each array task, and what it has printed. Throws Error(broken).
inline constexpr const char* squeue_format = "%i|%T|%r|%N";
std::vector<Pilot> parse_squeue(std::string_view printed, const std::filesystem::path& logs);

}  // namespace muster::launch
