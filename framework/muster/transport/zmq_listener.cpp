#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/transport/zmq_listener.hpp>
#include <muster/transport/zmq_socket.hpp>

namespace muster::transport {
namespace {

// What a ROUTER calls a peer that does not name itself: a zero and a number that it counts up.
// (When it comes to one that a peer has given itself, ZeroMQ ends the program: see ZmqListener.)
constexpr std::size_t name_bytes = 5;
using Name = std::array<unsigned char, name_bytes>;

std::optional<wire::PeerId> to_peer(const zmq::message_t& name) {
  if (name.size() != name_bytes) return std::nullopt;
  Name bytes;
  std::memcpy(bytes.data(), name.data(), bytes.size());
  if (bytes[0] != 0) return std::nullopt;
  wire::PeerId out;
  for (const unsigned char byte : bytes) out.value = out.value << 8U | byte;
  return out;
}

Name to_name(wire::PeerId peer) {
  Name out;
  for (std::size_t i = name_bytes; i-- > 0; peer.value >>= 8U)
    out[i] = static_cast<unsigned char>(peer.value & 0xffU);
  return out;
}

}  // namespace

struct ZmqListener::Socket {
  explicit Socket(ZmqContext& context) : router(context.impl().context, zmq::socket_type::router) {}

  zmq::socket_t router;
  WakeFd wake;
};

ZmqListener::ZmqListener(ZmqContext& context, const std::string& address)
    : socket_(std::make_unique<Socket>(context)) {
  zmq::socket_t& router = socket_->router;
  set_common_options(router);
  router.set(zmq::sockopt::router_mandatory, true);
  router.set(zmq::sockopt::backlog, 1024);
  try {
    router.bind(address);
  } catch (const zmq::error_t& error) {
    const bool is_odd = error.num() == EINVAL || error.num() == EPROTONOSUPPORT;
    throw Error(is_odd ? ErrorCode::usage : ErrorCode::io,
                fmt::format("cannot listen at '{}': {}", address, error.what()),
                is_odd ? "an address looks like tcp://127.0.0.1:7600" : "");
  }
  address_ = router.get(zmq::sockopt::last_endpoint);
}

ZmqListener::~ZmqListener() = default;

void ZmqListener::wait(std::optional<TimePoint> until) {
  zmq::pollitem_t items[] = {{socket_->router.handle(), 0, ZMQ_POLLIN, 0},
                             {nullptr, socket_->wake.get(), ZMQ_POLLIN, 0}};
  try {
    zmq::poll(items, std::size(items), poll_time(until));
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR) throw;
  }
  if (items[1].revents != 0) socket_->wake.drain();
}

bool ZmqListener::receive(Arrived& out) {
  constexpr int odd_in_a_row = 100;
  for (int i = 0; i < odd_in_a_row; ++i) {
    zmq::message_t name;
    if (!socket_->router.recv(name, zmq::recv_flags::dontwait)) return false;
    const std::optional<wire::PeerId> peer = to_peer(name);
    zmq::message_t frame;
    const bool has_frame =
        name.more() && socket_->router.recv(frame, zmq::recv_flags::dontwait).has_value();
    if (!has_frame || frame.more() || !peer) {
      ++counters_.odd_messages;
      discard_rest(socket_->router);
      continue;
    }
    // There are no keys, so whatever the peer says of itself ("User-Id") is no proof.
    out = {*peer, {}, Bytes(static_cast<const char*>(frame.data()), frame.size())};
    return true;
  }
  return false;
}

Listener::Sent ZmqListener::send(wire::PeerId peer, const wire::SharedFrame& frame) {
  const Name name = to_name(peer);
  try {
    zmq::message_t body = to_zmq(frame);  // before the head, which must not stay alone
    zmq::message_t head(name.data(), name.size());
    const auto flags = zmq::send_flags::dontwait | zmq::send_flags::sndmore;
    if (!socket_->router.send(head, flags)) {
      ++counters_.dropped;
      return Sent::full;
    }
    if (!socket_->router.send(body, zmq::send_flags::dontwait)) {
      ++counters_.dropped;
      return Sent::full;
    }
    return Sent::queued;
  } catch (const zmq::error_t& error) {
    if (error.num() == EHOSTUNREACH) return Sent::gone;
    throw system_error(error.num(), "sending to a worker or client");
  }
}

void ZmqListener::wake() noexcept { socket_->wake.signal(); }

}  // namespace muster::transport
