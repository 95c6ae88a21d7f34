#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <sys/types.h>

#include <muster/base/clock.hpp>
#include <muster/launch/adapt_policy.hpp>
#include <muster/launch/cluster_directory.hpp>
#include <muster/launch/cluster_spec.hpp>
#include <muster/launch/launcher.hpp>
#include <muster/launch/own_coordinator.hpp>

namespace muster::launch {

/// What is there of a cluster.
struct ClusterStatus {
  ClusterSpec spec;
  std::optional<pid_t> keeper;
  std::optional<pid_t> coordinator;  ///< its own
  std::vector<Pilot> pilots;
  std::string trouble;  ///< why the pilots are not known; empty: they are
};

/// Brings up, keeps and takes down one cluster of this user, from this machine. Each process of it
/// is found by its mark, and not by what was recorded. Not thread-safe.
class ClusterControl {
 public:
  using Log = std::function<void(const std::string& line)>;

  /// `parent` holds the directories of all clusters; the log must not throw.
  ClusterControl(const std::filesystem::path& parent, const std::string& name, Log log);

  const ClusterDirectory& directory() const noexcept { return directory_; }

  /// Starts a coordinator if the spec wants one, the workers, and a keeper: `muster_program cluster
  /// keep NAME`. Returns the coordinator's address. If anything fails, or a stop is requested, all
  /// of it is taken down again, and the error is thrown.
  std::string bring_up(ClusterSpec spec, const std::filesystem::path& muster_program,
                       const std::stop_token& stop);

  /// The keeper's work: keeps coordinator and workers there until a stop is requested. With a
  /// range, how many follows what `load` says of the spec's coordinator; see KeeperOptions. Throws
  /// Error(usage) if the cluster has a keeper.
  using AskLoad = std::function<std::optional<Load>(const ClusterSpec&)>;
  void keep(const std::stop_token& stop, const AskLoad& load);

  /// Ends keeper, workers and coordinator, and removes the directory. Workers may finish what they
  /// have begun for `grace`. If it throws, it can be done again.
  void take_down(Duration grace);

  ClusterStatus status() const;

 private:
  void start_all(ClusterSpec& spec, const std::filesystem::path& muster_program,
                 const std::stop_token& stop);
  void end_all(const ClusterSpec& spec, Launcher& launcher, Duration grace) const;
  void start_keeper(const std::filesystem::path& muster_program, const std::string& name) const;
  void end_keeper() const;
  void keep_coordinator(OwnCoordinator& coordinator);

  ClusterDirectory directory_;
  Log log_;
};

/// The name of this machine, as the spec of a cluster has it.
std::string this_host();

}  // namespace muster::launch
