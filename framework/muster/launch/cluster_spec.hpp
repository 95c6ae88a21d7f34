#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/launch/host_list.hpp>
#include <muster/launch/worker_command.hpp>

namespace muster::launch {

enum class LauncherKind { local, slurm, ssh };

/// Throws Error(usage) that lists them.
LauncherKind parse_launcher_kind(std::string_view text);
const char* to_string(LauncherKind kind) noexcept;

/// As many workers as there is to do, within these.
struct AdaptRange {
  unsigned min = 1;
  unsigned max = 1;

  bool operator==(const AdaptRange&) const = default;
};

/// What somebody has asked `muster cluster up` for: all that it takes to start, find and end the
/// cluster. Kept as JSON in its directory.
struct ClusterSpec {
  std::string name = "default";
  std::string token;  ///< of this life of the cluster: what belongs to it bears this mark
  std::string host;   ///< where it was brought up, and its keeper runs
  LauncherKind launcher = LauncherKind::local;
  unsigned wanted = 1;              ///< at the start, with a range
  std::optional<AdaptRange> adapt;  ///< none: so many all the time
  WorkerCommand worker;

  /// The address that a coordinator of its own binds to; empty: the coordinator is somebody else's.
  std::string bind;
  std::string coordinator_program = "muster-coordinator";

  std::vector<std::string> sbatch_flags;          ///< of slurm: passed through
  Duration drain_time = std::chrono::minutes(1);  ///< of slurm: between the signal and the walltime
  std::vector<HostShare> hosts;                   ///< of ssh
  std::vector<std::string> ssh_command = {"ssh"};  ///< of ssh: the program, and options
  Duration poll = Duration::zero();  ///< how often the keeper looks; 0: as the launcher says

  bool has_own_coordinator() const { return !bind.empty(); }
  bool operator==(const ClusterSpec&) const = default;
};

/// Throws Error(usage) if this cannot be the name of a cluster: it is part of paths and job names.
void require_cluster_name(std::string_view name);

std::string to_json(const ClusterSpec& spec);
/// Throws Error(corrupt) that names `file`.
ClusterSpec parse_spec(std::string_view text, std::string_view file);

/// A token that no other cluster has: 64 random bits as hexadecimal digits.
std::string make_token();

}  // namespace muster::launch
