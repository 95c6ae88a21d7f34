#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <muster/transport/dialer.hpp>
#include <muster/transport/listener.hpp>

namespace muster::transport {

/// Connections within one process, for tests: as ZeroMQ's, with faults made to order. Thread-safe;
/// the listener and the dialers share what they need and may outlive it.
class MemoryNetwork {
 public:
  MemoryNetwork();

  std::unique_ptr<Listener> listen();
  std::unique_ptr<Dialer> dial();

  /// Breaks all connections, with what is on them. Dialers notice; listeners do not.
  void cut();
  /// While it is not, connections are refused.
  void set_reachable(bool reachable);
  /// The next so many frames, of whatever direction, are lost without a word.
  void lose_next(std::uint64_t frames);
  /// How many frames have been lost by cut() and lose_next().
  std::uint64_t lost() const;

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace muster::transport
