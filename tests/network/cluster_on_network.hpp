#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <muster/cluster/client/cluster_executor.hpp>

#include "cluster/cluster_jobs.hpp"
#include "network.hpp"

namespace muster::testing {

/// A cluster with keys: its coordinator on the host "head", workers on "a", "b" and "c", clients on
/// "desk", where the test itself is. At its end something must have been broken.
class ClusterOnNetwork : public ClusterJobs {
 protected:
  void SetUp() override;
  void TearDown() override;

  Network& network() { return *network_; }

  /// A coordinator with this lease, and workers, on the hosts of their names. All have joined.
  void start(const std::string& lease, const std::vector<std::string>& names = {"a", "b", "c"});
  void start_worker_on(const std::string& host);
  Running& worker(const std::string& name) { return *on_host_.at(name); }
  ClusterOptions client() const { return {.keys = path("desk")}; }

  /// The coordinator has let the worker in so often; waits for it.
  bool has_joined(const std::string& name, int times);
  /// Nobody was given up.
  void expect_nobody_lost();

 private:
  std::optional<Network> network_;
  std::optional<OnHost> at_desk_;
  std::map<std::string, Running*> on_host_;
};

}  // namespace muster::testing
