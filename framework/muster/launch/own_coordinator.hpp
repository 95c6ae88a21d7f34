#pragma once

#include <string>

#include <sys/types.h>

#include <muster/launch/cluster_directory.hpp>
#include <muster/launch/cluster_spec.hpp>
#include <muster/launch/restart_pacer.hpp>

namespace muster::launch {

inline constexpr const char* coordinator_role = "coordinator";

/// The coordinator of a cluster that has one of its own. Not thread-safe.
class OwnCoordinator {
 public:
  OwnCoordinator(ClusterSpec spec, ClusterDirectory directory);

  /// Starts it and waits until it listens. Returns the address. Throws Error(broken), with what it
  /// has written, if it ends instead.
  std::string start();
  /// Starts it again, at the same address, if it has ended, as often as the pacer allows. True if
  /// it did so.
  bool restart_if_gone(TimePoint now);

 private:
  ClusterSpec spec_;
  ClusterDirectory directory_;
  RestartPacer pacer_;
  pid_t child_ = 0;
};

}  // namespace muster::launch
