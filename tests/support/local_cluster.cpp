#include "local_cluster.hpp"

#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <muster/base/temp_dir.hpp>
#include <muster/transport/zmq_dialer.hpp>
#include <muster/transport/zmq_listener.hpp>

#include "shared_memory.hpp"

namespace muster::test {
namespace {

const std::filesystem::path& downloads() {
  static const TempDir directory(default_temp_parent());
  return directory.path();
}

}  // namespace

void LocalCluster::prepare() { downloads(); }

struct LocalCluster::Worker {
  Worker(transport::ZmqContext& context, const std::string& address, cluster::WorkerOptions options)
      : dialer(context, address),
        agent(std::move(options), dialer, downloads() / "worker"),
        thread([this] { agent.run(); }) {}
  ~Worker() {
    if (!thread.joinable()) return;
    agent.stop();
    agent.stop();  // what still runs is killed
    thread.join();
  }
  void drain() {
    agent.stop();
    thread.join();
  }

  transport::ZmqDialer dialer;
  cluster::WorkerAgent agent;
  std::thread thread;
};

LocalCluster::LocalCluster(Options options) : options_(std::move(options)) {
  auto listener = std::make_unique<transport::ZmqListener>(context_, "tcp://127.0.0.1:*");
  address_ = listener->address();
  listener_ = std::move(listener);
  coordinator_ =
      std::make_unique<cluster::Coordinator>(options_.coordinator, *listener_, state_.path());
  thread_ = std::thread([this] { coordinator_->run(); });
  for (unsigned i = 0; i < options_.workers; ++i) add_worker();
}

LocalCluster::~LocalCluster() {
  workers_.clear();
  coordinator_->stop();
  thread_.join();
}

void LocalCluster::add_worker() {
  cluster::WorkerOptions options = options_.worker;
  options.name = fmt::format("w{}", ++workers_so_far_);
  options.slots = options_.slots;
  options.programs.environment.push_back(shared_memory_variable());
  options.programs.on_output = [](std::string_view) {};
  workers_.push_back(std::make_unique<Worker>(context_, address_, std::move(options)));
}

void LocalCluster::drain_worker() {
  workers_.front()->drain();
  workers_.erase(workers_.begin());
}

}  // namespace muster::test
