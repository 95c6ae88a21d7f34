#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <muster/base/file.hpp>
#include <muster/launch/cluster_spec.hpp>

namespace muster::launch {

/// Where all that is known of one cluster lies: `cluster.json`, the logs, the files of a
/// coordinator of its own. That it is there means that the cluster is up, or was and has not been
/// taken down.
class ClusterDirectory {
 public:
  /// `parent` holds the directories of all clusters of this user.
  ClusterDirectory(const std::filesystem::path& parent, const std::string& name);

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path logs() const { return path_ / "logs"; }
  std::filesystem::path keeper_log() const { return path_ / "keeper.log"; }
  std::filesystem::path coordinator_log() const { return path_ / "coordinator.log"; }
  std::filesystem::path coordinator_state() const { return path_ / "coordinator"; }
  /// A coordinator of its own writes here where it listens.
  std::filesystem::path address_file() const { return path_ / "address"; }
  std::filesystem::path job_script() const { return path_ / "pilots.sh"; }

  /// Makes it, with the spec in it, at once: of two that try only one succeeds. Throws Error(usage)
  /// with the remedy if it is there.
  void claim(const ClusterSpec& spec) const;
  /// Replaces the spec, at once.
  void save(const ClusterSpec& spec) const;
  /// Throws Error(usage) if there is no such cluster.
  ClusterSpec load() const;
  /// With all that is in it.
  void remove() const;

  /// A new empty file ROLE-NUMBER.log; the number, which no other has.
  std::string make_log(const std::string& role) const;
  std::filesystem::path log_of(const std::string& role, const std::string& number) const;

  /// One keeper at a time: none if another process has the lock, until that ends. A process asks
  /// once.
  std::optional<UniqueFd> lock_for_keeper() const;
  /// The process that has the lock.
  std::optional<pid_t> keeper() const;

  /// Names of all clusters below `parent`, sorted.
  static std::vector<std::string> names(const std::filesystem::path& parent);

 private:
  std::filesystem::path keeper_lock() const { return path_ / "keeper.lock"; }

  std::filesystem::path path_;
  std::string name_;
};

/// The last lines of a file, for messages; empty if there is none.
std::string tail_of(const std::filesystem::path& log);

}  // namespace muster::launch
