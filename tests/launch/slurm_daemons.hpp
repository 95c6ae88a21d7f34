#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace muster::testing {

/// A Slurm of three nodes, n1 to n3, all on this machine: munged, slurmctld and three slurmd, with
/// a key, ports and files of their own. They end with it.
class SlurmDaemons {
 public:
  /// Why it cannot be here; empty: it can.
  static std::string missing();

  /// Waits until all nodes are idle. `environment` is what daemons and commands get besides.
  SlurmDaemons(std::filesystem::path directory, std::vector<std::string> environment);

  /// "SLURM_CONF=...", for whoever talks to it.
  std::string variable() const { return "SLURM_CONF=" + (directory_ / "slurm.conf").string(); }
  /// One of Slurm's programs.
  Finished call(std::vector<std::string> arguments) const;
  /// What squeue lists, a line for each array task; `format` as squeue takes it.
  std::vector<std::string> queue(const std::string& format = "%i") const;

  /// Kills the slurmd of node n1, n2 or n3; what it had started goes on.
  void kill_slurmd(const std::string& node);

 private:
  void write_configuration() const;
  Command daemon(std::vector<std::string> arguments) const;

  std::filesystem::path directory_;
  std::vector<std::string> environment_;
  std::vector<std::unique_ptr<Running>> daemons_;
};

/// Ports of the loopback interface that are free now.
std::vector<int> free_ports(std::size_t count);

}  // namespace muster::testing
