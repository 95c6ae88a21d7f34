#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "cluster_command.hpp"
#include "slurm_daemons.hpp"

namespace muster::testing {

/// Clusters of Slurm's array jobs. Each test has a Slurm of its own, and a coordinator beside it.
class Slurm : public ClusterCommand {
 protected:
  void SetUp() override {
    ClusterCommand::SetUp();
    const std::string missing = SlurmDaemons::missing();
    if (!missing.empty()) GTEST_SKIP() << missing;
    std::filesystem::create_directories(path("slurm"));
    slurm = std::make_unique<SlurmDaemons>(path("slurm"), command("muster", {}).environment);
    environment = {slurm->variable()};
    start_coordinator(coordinator_options);
  }
  void TearDown() override {
    if (slurm != nullptr && std::filesystem::exists(of_cluster())) {
      cluster({"down", "--grace", "1s"});
    }
    slurm.reset();
    ClusterCommand::TearDown();
  }

  /// Workers that connect to the coordinator, or to one that passes that on.
  Finished up_with(Options arguments) const { return up_at(address(), std::move(arguments)); }
  Finished up_at(const std::string& place, Options arguments) const {
    arguments.insert(arguments.begin(),
                     {"--launcher", "slurm", "--coordinator", place, "--poll", "100ms"});
    return up(std::move(arguments));
  }
  bool are_running(std::size_t count) const {
    const bool ok = eventually([&] {
      const auto states = slurm->queue("%T");
      return states.size() == count &&
             std::count(states.begin(), states.end(), "RUNNING") == static_cast<long>(count);
    });
    EXPECT_TRUE(ok) << slurm->call({"squeue"}).text();
    return ok;
  }
  void expect_empty_queue() const { EXPECT_TRUE(slurm->queue().empty()); }

  Options coordinator_options;
  std::unique_ptr<SlurmDaemons> slurm;
};

}  // namespace muster::testing
