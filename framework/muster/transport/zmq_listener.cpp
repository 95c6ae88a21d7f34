#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <optional>
#include <random>
#include <utility>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/transport/connection_guard.hpp>
#include <muster/transport/zap_handler.hpp>
#include <muster/transport/zmq_dialer.hpp>
#include <muster/transport/zmq_listener.hpp>
#include <muster/transport/zmq_socket.hpp>

namespace muster::transport {
namespace {

// What a ROUTER calls a peer that does not name itself: a zero and a number that it counts up.
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

/// A ROUTER counts from what random() says, which nobody has seeded: from the same number in every
/// program. When it comes to a name that a peer has given itself, ZeroMQ ends the program. So the
/// first one must not be known. (ZeroMQ's rand() is random() in glibc.)
zmq::socket_t make_router(zmq::context_t& context) {
  ::srandom(std::random_device()());
  return {context, zmq::socket_type::router};
}

}  // namespace

struct ZmqListener::Socket {
  explicit Socket(ZmqContext& context) : router(make_router(context.impl().context)) {}

  std::optional<ZapHandler> zap;
  zmq::socket_t router;
  WakeFd wake;
  std::optional<ConnectionGuard> guard;
};

ZmqListener::ZmqListener(ZmqContext& context, const std::string& address,
                         std::optional<ListenerKeys> keys, ConnectionLimits limits)
    : socket_(std::make_unique<Socket>(context)), has_keys_(keys.has_value()) {
  zmq::socket_t& router = socket_->router;
  set_common_options(router);
  if (keys) {
    socket_->zap.emplace(context.impl().context, keys->user_of);
    router.set(zmq::sockopt::curve_server, true);
    router.set(zmq::sockopt::curve_secretkey, keys->own.secret_key);
    router.set(zmq::sockopt::zap_domain, "muster");
    enforce_zap(router);
  }
  router.set(zmq::sockopt::router_mandatory, true);
  router.set(zmq::sockopt::backlog, 1024);
  socket_->guard.emplace(context.impl().context, router, std::move(limits));
  try {
    router.bind(address);
  } catch (const zmq::error_t& error) {
    const bool is_odd = error.num() == EINVAL || error.num() == EPROTONOSUPPORT;
    const char* const hint = is_odd ? "an address looks like tcp://127.0.0.1:7600"
                             : error.num() == EADDRINUSE
                                 ? "end what listens there, or give another port"
                             : error.num() == ENODEV || error.num() == EADDRNOTAVAIL
                                 ? "give an IP address of this machine, or tcp://*:PORT for all"
                                 : "";
    throw Error(is_odd ? ErrorCode::usage : ErrorCode::io,
                fmt::format("cannot listen at '{}': {}", address, error.what()), hint);
  }
  address_ = router.get(zmq::sockopt::last_endpoint);
  if (keys) require_refusal_of_strangers(context, keys->own.public_key);
}

/// ZeroMQ lets everybody in if something about the keys is not as it should be.
void ZmqListener::require_refusal_of_strangers(ZmqContext& context,
                                               const std::string& public_key) const {
  constexpr Duration patience = std::chrono::seconds(10);
  std::string address = address_;
  const std::string everywhere = "//0.0.0.0:";
  if (const auto at = address.find(everywhere); at != std::string::npos)
    address.replace(at, everywhere.size(), "//127.0.0.1:");
  ZmqDialer stranger(context, address, DialerKeys{make_curve_keys(), public_key});
  const TimePoint deadline = Clock::now() + patience;
  while (Clock::now() < deadline) {
    stranger.connect();
    while (stranger.state() == Dialer::State::connecting && Clock::now() < deadline)
      stranger.wait(deadline);
    if (stranger.was_refused()) return;
    if (stranger.state() == Dialer::State::open) break;
  }
  throw Error(ErrorCode::broken,
              fmt::format("a key that nobody knows was not refused at '{}': {}", address_,
                          stranger.trouble()),
              "do not use this machine's ZeroMQ for a coordinator");
}

ZmqListener::~ZmqListener() = default;

void ZmqListener::wait(std::optional<TimePoint> until) {
  zmq::pollitem_t items[] = {{socket_->router.handle(), 0, ZMQ_POLLIN, 0},
                             {nullptr, socket_->wake.get(), ZMQ_POLLIN, 0}};
  poll_until(until, items);
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
    if (has_frame) socket_->guard->heard(frame);
    if (!has_frame || frame.more() || !peer) {
      ++counters_.odd_messages;
      discard_rest(socket_->router);
      continue;
    }
    out.peer = *peer;
    // Without keys, what the peer says of itself is no proof.
    const char* const user = has_keys_ ? zmq_msg_gets(frame.handle(), "User-Id") : nullptr;
    out.user = user != nullptr ? user : "";
    out.bytes.assign(static_cast<const char*>(frame.data()), frame.size());
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

ConnectionCounters ZmqListener::connections() const { return socket_->guard->counters(); }

void ZmqListener::wake() noexcept { socket_->wake.signal(); }

}  // namespace muster::transport
