#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <muster/transport/connection_limits.hpp>
#include <muster/transport/curve.hpp>
#include <muster/transport/listener.hpp>
#include <muster/transport/zmq_context.hpp>

namespace muster::transport {

struct ListenerCounters {
  std::uint64_t odd_messages = 0;  ///< not of one frame, or of peers that name themselves
  std::uint64_t dropped = 0;       ///< frames to peers that did not keep up
};

/// A ROUTER socket. With keys nobody comes in whose key is not known, and all is encrypted; that is
/// tried out before anybody is let in. Without, whoever reaches it is let in, and may name itself:
/// ZeroMQ 4.3.4 ends the program when it comes to a name that a peer has. Names are hard to guess,
/// but there are only 2^32 of them. So that is for addresses of this machine.
///
/// Throws Error(usage) if the address makes no sense, Error(io) if it cannot be bound, Error(limit)
/// if there may be no connections. The context must outlive it.
class ZmqListener final : public Listener {
 public:
  /// "tcp://127.0.0.1:7600"; port 0 or "*": any that is free. Also "ipc:///path". With keys: one
  /// for each context. Throws Error(broken) if a key that is not known would be let in.
  ZmqListener(ZmqContext& context, const std::string& address,
              std::optional<ListenerKeys> keys = std::nullopt, ConnectionLimits limits = {});
  ~ZmqListener() override;

  const std::string& address() const override { return address_; }
  void wait(std::optional<TimePoint> until) override;
  bool receive(Arrived& out) override;
  Sent send(wire::PeerId peer, const wire::SharedFrame& frame) override;
  void wake() noexcept override;

  const ListenerCounters& counters() const noexcept { return counters_; }
  /// Of any thread.
  ConnectionCounters connections() const;

 private:
  struct Socket;
  void require_refusal_of_strangers(ZmqContext& context, const std::string& public_key) const;

  std::unique_ptr<Socket> socket_;
  std::string address_;
  bool has_keys_ = false;
  ListenerCounters counters_;
};

}  // namespace muster::transport
