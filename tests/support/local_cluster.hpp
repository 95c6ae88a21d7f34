#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <muster/base/temp_dir.hpp>
#include <muster/cluster/coordinator/coordinator.hpp>
#include <muster/cluster/worker/worker_agent.hpp>
#include <muster/transport/zmq_context.hpp>

namespace muster::test {

/// A cluster within this process: a coordinator and workers, each in a thread of its own, over
/// ZeroMQ on the loopback. What clients send runs in processes, as anywhere. What the workers of
/// one program have downloaded is kept for the next one.
class LocalCluster {
 public:
  struct Options {
    unsigned workers = 1;
    unsigned slots = 1;  ///< of each
    cluster::CoordinatorOptions coordinator = {};
    cluster::WorkerOptions worker = {};
  };

  explicit LocalCluster(Options options);
  ~LocalCluster();
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;

  /// Makes what all have in common. For main, before anything counts what there is.
  static void prepare();

  const std::string& address() const { return address_; }
  void add_worker();
  /// Tells the first worker to end what it has begun and leave, and waits until it has.
  void drain_worker();

 private:
  struct Worker;

  Options options_;
  std::string address_;
  transport::ZmqContext context_;
  std::unique_ptr<transport::Listener> listener_;
  TempDir state_{default_temp_parent()};
  std::unique_ptr<cluster::Coordinator> coordinator_;
  std::thread thread_;
  std::vector<std::unique_ptr<Worker>> workers_;
  unsigned workers_so_far_ = 0;
};

}  // namespace muster::test
