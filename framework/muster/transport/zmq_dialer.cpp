#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/transport/tcp_address.hpp>
#include <muster/transport/zmq_dialer.hpp>
#include <muster/transport/zmq_socket.hpp>

namespace muster::transport {
namespace {

constexpr int watched_events =
    ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED |
    ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED;

}  // namespace

struct ZmqDialer::Sockets {
  explicit Sockets(ZmqContext& of) : context(of) {}

  struct Connection {
    explicit Connection(ZmqContext& context)
        : dealer(context.impl().context, zmq::socket_type::dealer),
          events(context.impl().context, zmq::socket_type::pair) {}
    zmq::socket_t dealer;
    zmq::socket_t events;  // what ZeroMQ tells of the connection
  };

  ZmqContext& context;
  WakeFd wake;
  std::optional<Connection> connection;
};

ZmqDialer::ZmqDialer(ZmqContext& context, const std::string& address,
                     std::optional<DialerKeys> keys)
    : sockets_(std::make_unique<Sockets>(context)), address_(address), keys_(std::move(keys)) {
  // So that a typing error is told at once, and not tried for ever.
  open_sockets();
  close(Duration::zero());
}

ZmqDialer::~ZmqDialer() { close(Duration::zero()); }

/// ZeroMQ says nothing of a name that it cannot find, and does not look again.
void ZmqDialer::connect() {
  close(Duration::zero());
  trouble_ = host_trouble(address_);
  hint_ = "is the name right, and does this machine know it?";
  if (trouble_.empty()) {
    open_sockets();
  } else {
    state_ = State::lost;
  }
}

void ZmqDialer::open_sockets() {
  try {
    Sockets::Connection& made = sockets_->connection.emplace(sockets_->context);
    set_common_options(made.dealer);
    if (keys_) {
      made.dealer.set(zmq::sockopt::curve_serverkey, keys_->listener_public_key);
      made.dealer.set(zmq::sockopt::curve_publickey, keys_->own.public_key);
      made.dealer.set(zmq::sockopt::curve_secretkey, keys_->own.secret_key);
    }
    made.dealer.set(zmq::sockopt::reconnect_ivl, -1);  // a new socket instead: nothing old on it
    const std::string events = unused_endpoint();
    if (zmq_socket_monitor(made.dealer.handle(), events.c_str(), watched_events) != 0)
      throw zmq::error_t();
    made.events.set(zmq::sockopt::linger, 0);
    made.events.connect(events);
    made.dealer.connect(address_);
    state_ = State::connecting;
    trouble_ = fmt::format("'{}' does not answer", address_);
    hint_ = "is muster-coordinator running there, and may it be reached?";
  } catch (const zmq::error_t& error) {
    const bool is_odd = error.num() == EINVAL || error.num() == EPROTONOSUPPORT;
    close(Duration::zero());
    trouble_ = fmt::format("cannot connect to '{}': {}", address_, error.what());
    hint_.clear();
    if (is_odd) throw Error(ErrorCode::usage, trouble_, "an address looks like tcp://host:7600");
    state_ = State::lost;  // for want of descriptors, say: there may be some later
  }
}

void ZmqDialer::close(Duration linger) {
  if (sockets_->connection) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(linger).count();
    sockets_->connection->dealer.set(zmq::sockopt::linger, static_cast<int>(ms));
    // First, or ZeroMQ's thread would wait for ever to tell of something that nobody hears any
    // more.
    zmq_socket_monitor(sockets_->connection->dealer.handle(), nullptr, 0);
    sockets_->connection.reset();
  }
  state_ = State::closed;
}

void ZmqDialer::wait(std::optional<TimePoint> until) {
  zmq::pollitem_t items[3] = {{nullptr, sockets_->wake.get(), ZMQ_POLLIN, 0}};
  std::size_t count = 1;
  if (sockets_->connection && state_ != State::lost) {
    items[count++] = {sockets_->connection->events.handle(), 0, ZMQ_POLLIN, 0};
    items[count++] = {sockets_->connection->dealer.handle(), 0, ZMQ_POLLIN, 0};
  }
  poll_until(until, {items, count});
  if (items[0].revents != 0) sockets_->wake.drain();
  look_at_events();
}

void ZmqDialer::look_at_events() {
  while (sockets_->connection && state_ != State::lost) {
    const std::optional<SocketEvent> told = next_event(sockets_->connection->events);
    if (!told) return;
    const auto [event, value] = *told;
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      state_ = State::open;
      continue;
    }
    was_refused_ = event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    if (was_refused_) {
      trouble_ = fmt::format("'{}' does not know this key (status {})", address_, value);
      hint_ = "on the coordinator's machine 'muster keys authorize' lets it in";
    } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL ||
               event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
      trouble_ = fmt::format(
          "'{}' did not shake hands: one side uses keys and the other none, its "
          "public key is another one, it has as many connections as it may, or it is not Muster",
          address_);
      hint_ = "give --keys DIR if the coordinator has keys, with its coordinator.pub; else do not";
    } else if (state_ == State::open) {
      trouble_ = fmt::format("the connection to '{}' broke", address_);
      hint_ = "does muster-coordinator still run there?";
    }
    state_ = State::lost;
  }
}

bool ZmqDialer::receive(ReceivedFrame& out) {
  look_at_events();
  // What arrived before the connection broke may be gone with it.
  while (sockets_->connection) {
    zmq::message_t frame;
    if (!sockets_->connection->dealer.recv(frame, zmq::recv_flags::dontwait)) return false;
    if (frame.more()) {
      discard_rest(sockets_->connection->dealer);
      continue;
    }
    const auto owner = std::make_shared<zmq::message_t>(std::move(frame));
    out = {owner->to_string_view(), owner};
    return true;
  }
  return false;
}

bool ZmqDialer::send(const wire::SharedFrame& frame) {
  if (state_ != State::open) return false;
  zmq::message_t body = to_zmq(frame);
  return sockets_->connection->dealer.send(body, zmq::send_flags::dontwait).has_value();
}

void ZmqDialer::wake() noexcept { sockets_->wake.signal(); }

}  // namespace muster::transport
