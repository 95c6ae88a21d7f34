#pragma once

#include <vector>

#include <sys/types.h>

#include <muster/launch/cluster_directory.hpp>
#include <muster/launch/cluster_spec.hpp>
#include <muster/launch/launcher.hpp>

namespace muster::launch {

/// Workers as processes of this machine, each with a log of its own in the cluster's directory.
class LocalLauncher final : public Launcher {
 public:
  LocalLauncher(ClusterSpec spec, ClusterDirectory directory);

  void check() override;
  /// Throws Error(broken), with what it has written, if one ends as soon as it was started.
  void start(unsigned count) override;
  std::vector<Pilot> pilots() override;
  void drain(const std::vector<Pilot>& which) override;
  void end_all(Duration grace) override;
  Duration poll_interval() const override;

 private:
  void reap();

  ClusterSpec spec_;
  ClusterDirectory directory_;
  std::vector<pid_t> children_;
};

}  // namespace muster::launch
