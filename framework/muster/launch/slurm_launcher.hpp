#pragma once

#include <string>
#include <vector>

#include <muster/launch/cluster_directory.hpp>
#include <muster/launch/cluster_spec.hpp>
#include <muster/launch/launcher.hpp>

namespace muster::launch {

/// Workers as array tasks of Slurm. They are found again by their job's name; accounting (sacct) is
/// not needed, nor that Slurm keeps what has ended.
class SlurmLauncher final : public Launcher {
 public:
  SlurmLauncher(ClusterSpec spec, ClusterDirectory directory);

  void check() override;
  /// Throws Error(usage), with what sbatch says, if it is refused.
  void start(unsigned count) override;
  std::vector<Pilot> pilots() override;
  void drain(const std::vector<Pilot>& which) override;
  /// What still runs after Slurm's own KillWait is killed by Slurm.
  void end_all(Duration grace) override;
  Duration poll_interval() const override;

 private:
  void cancel(std::vector<std::string> options);

  ClusterSpec spec_;
  ClusterDirectory directory_;
  std::string user_;
};

}  // namespace muster::launch
