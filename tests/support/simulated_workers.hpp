#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace muster::test {

/// Workers of a cluster that run nothing: each has its own connection over ZeroMQ, keeps its
/// session, gives its signs of life and comes back when it is lost, as a real one does. They say
/// that they are paused; what a coordinator gives them before it has heard that, they give back. So
/// hundreds of them fit into a few threads.
///
/// Named "simulated-0" and so on. The methods are thread-safe.
class SimulatedWorkers {
 public:
  /// They need five descriptors each. Throws Error(usage) of an address that makes no sense.
  SimulatedWorkers(const std::string& address, unsigned count);
  ~SimulatedWorkers();  ///< breaks all connections, without a goodbye
  SimulatedWorkers(const SimulatedWorkers&) = delete;
  SimulatedWorkers& operator=(const SimulatedWorkers&) = delete;

  unsigned connected() const;        ///< so many have a session, over a connection that works
  std::uint64_t sessions() const;    ///< that have begun, so far
  std::uint64_t lost() const;        ///< connections that could not be made, or broke
  std::uint64_t given_back() const;  ///< calls

 private:
  class Worker;
  class Group;

  std::vector<std::unique_ptr<Group>> groups_;
};

}  // namespace muster::test
