#pragma once

#include <string>
#include <vector>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

#include "cluster/cluster_jobs.hpp"

namespace muster::testing {

/// Tests of `muster cluster`: what it starts is of this test alone, and nothing may be left of it.
class ClusterCommand : public ClusterJobs {
 protected:
  void TearDown() override;

  /// `muster cluster ...`. Workers have one slot and count in memory that they share with the test.
  Finished cluster(Options arguments) const;
  Finished up(Options arguments) const;
  /// Must succeed: the coordinator's address.
  std::string address_of(const Finished& up) const;
  void expect_down(const std::string& name = "default");
  /// What status says, must contain the text after a while.
  bool status_says(const std::string& text) const;
  /// Fails, with this exit code and text; nothing is left.
  void expect_refused(const Finished& end, int exit_code, const std::string& text) const;

  std::filesystem::path of_cluster(const std::string& name = "default") const {
    return path("state/muster/clusters") / name;
  }
  /// Of processes of the test: those that have this name.
  std::vector<pid_t> processes(const std::string& name) const;
  std::string keeper_log() const;

  /// Each takes a moment and counts its runs.
  static constexpr int call_count = 200;
  static std::vector<Future<int>> submit_all(ClusterExecutor& executor);
  static void expect_all(const std::vector<Future<int>>& futures);
  static bool have_run(std::uint64_t runs);

  /// Environment of all commands, besides the usual.
  std::vector<std::string> environment;
};

}  // namespace muster::testing
