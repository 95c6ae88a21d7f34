#include "cluster_on_network.hpp"

namespace muster::testing {

void ClusterOnNetwork::SetUp() {
  ClusterJobs::SetUp();
  const std::string missing = Network::missing();
  if (!missing.empty()) GTEST_SKIP() << missing;
  network_.emplace(std::vector<std::string>{"head", "desk", "a", "b", "c"});
  at_desk_.emplace(*network_, "desk");
  make_keys();
  as_client = {"--keys", "desk"};
}

void ClusterOnNetwork::TearDown() {
  if (network_) {
    const std::uint64_t dropped = network_->dropped();
    const std::uint64_t held_up = network_->held_up();
    RecordProperty("packets_dropped", std::to_string(dropped));
    RecordProperty("packets_held_up", std::to_string(held_up));
    EXPECT_GT(dropped + held_up, 0U) << "the network was never broken";
    network_->heal();
  }
  ClusterJobs::TearDown();
  at_desk_.reset();
}

void ClusterOnNetwork::start(const std::string& lease, const std::vector<std::string>& names) {
  {
    const OnHost here(*network_, "head");
    bind_at("tcp://" + network_->address("head") + ":*");
    start_coordinator({"--keys", "head", "--lease", lease});
  }
  for (const std::string& each : names) start_worker_on(each);
  for (const std::string& each : names) ASSERT_TRUE(has_joined(each, 1));
}

void ClusterOnNetwork::start_worker_on(const std::string& host) {
  const OnHost here(*network_, host);
  on_host_[host] = &start_worker(host, {"--keys", "node", "--cache", "cache-" + host});
}

bool ClusterOnNetwork::has_joined(const std::string& name, int times) {
  return eventually(
      [&] { return count(coordinator().err(), "worker '" + name + "' of ") == times; });
}

void ClusterOnNetwork::expect_nobody_lost() {
  EXPECT_EQ(count(coordinator().err(), "was not heard of"), 0) << coordinator().err();
}

}  // namespace muster::testing
