#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <zmq.hpp>

#include <muster/base/clock.hpp>
#include <muster/base/file.hpp>
#include <muster/transport/zmq_context.hpp>
#include <muster/wire/channel.hpp>

// What listeners and dialers over ZeroMQ have in common. Only this folder includes it.

namespace muster::transport {

struct ZmqContext::Impl {
  zmq::context_t context;
};

/// The options of every socket that carries frames. The reasons:
/// - heartbeats of the protocol itself find dead connections, and only those: whether the other
///   program still works is seen from its own heartbeats;
/// - larger frames than there may be end the connection before they take memory;
/// - queues are bounded, in messages (against one of endless parts there is ConnectionGuard), and
///   whoever does not complete a handshake is thrown out.
void set_common_options(zmq::socket_t& socket);

/// Without an answer of a ZAP handler nobody is let in. Otherwise ZeroMQ would let in everybody.
void enforce_zap(zmq::socket_t& socket);

/// A message that refers to the frame, or has a copy of a small one.
zmq::message_t to_zmq(const wire::SharedFrame& frame);

/// A descriptor that another thread makes readable.
class WakeFd {
 public:
  WakeFd();
  int get() const noexcept { return fd_.get(); }
  void signal() noexcept;
  void drain() noexcept;

 private:
  UniqueFd fd_;
};

/// What ZeroMQ tells of a socket to the one that monitors it.
struct SocketEvent {
  std::uint16_t event = 0;  ///< ZMQ_EVENT_...
  std::uint32_t value = 0;  ///< what that means depends on the event
};
/// A name under which one socket tells another in this process.
std::string unused_endpoint();
/// The next thing that was told; none: nothing yet.
std::optional<SocketEvent> next_event(zmq::socket_t& monitor);

/// zmq_poll, until something has happened, a signal has come, or it is time. None: no time. What is
/// due then is due after it.
void poll_until(std::optional<TimePoint> until, std::span<zmq::pollitem_t> items);

/// Takes what is left of a message of more frames than there may be.
void discard_rest(zmq::socket_t& socket);

}  // namespace muster::transport
