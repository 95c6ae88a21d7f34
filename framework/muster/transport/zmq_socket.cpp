#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/transport/zmq_socket.hpp>
#include <muster/wire/frame.hpp>

namespace muster::transport {

using namespace std::chrono_literals;

ZmqContext::ZmqContext(int io_threads) : impl_(std::make_unique<Impl>()) {
  impl_->context.set(zmq::ctxopt::io_threads, io_threads);
  impl_->context.set(zmq::ctxopt::blocky, 0);
  impl_->context.set(zmq::ctxopt::max_sockets, 1023);
}

ZmqContext::~ZmqContext() = default;

void set_common_options(zmq::socket_t& socket) {
  constexpr int queued_frames_max = 10'000;
  const auto ms = [](auto time) {
    return static_cast<int>(std::chrono::milliseconds(time).count());
  };
  socket.set(zmq::sockopt::linger, ms(1s));
  socket.set(zmq::sockopt::sndhwm, queued_frames_max);
  socket.set(zmq::sockopt::rcvhwm, queued_frames_max);
  socket.set(zmq::sockopt::immediate, true);
  socket.set(zmq::sockopt::handshake_ivl, ms(5s));
  socket.set(zmq::sockopt::heartbeat_ivl, ms(5s));
  socket.set(zmq::sockopt::heartbeat_timeout, ms(15s));
  socket.set(zmq::sockopt::heartbeat_ttl, ms(15s));
  socket.set(zmq::sockopt::maxmsgsize,
             static_cast<std::int64_t>(wire::frame_header_bytes + wire::body_bytes_max));
}

void enforce_zap(zmq::socket_t& socket) {
  constexpr int zap_enforce_domain = 93;  // ZMQ_ZAP_ENFORCE_DOMAIN, a draft in the headers of 4.3.4
  const int on = 1;
  if (zmq_setsockopt(socket.handle(), zap_enforce_domain, &on, sizeof(on)) == 0) return;
  throw Error(ErrorCode::broken, "this ZeroMQ cannot be told to insist on keys",
              "install libzmq 4.3.4 or later");
}

zmq::message_t to_zmq(const wire::SharedFrame& frame) {
  constexpr std::size_t borrowed_bytes_min = 4096;
  if (frame->size() < borrowed_bytes_min) return zmq::message_t(frame->data(), frame->size());
  // Nobody writes to it: ZeroMQ has no other way to say so than to take the address.
  auto held = std::make_unique<wire::SharedFrame>(frame);
  zmq::message_t message(
      const_cast<char*>(frame->data()),
      frame->size(),  // NOLINT(cppcoreguidelines-pro-type-const-cast)
      [](void* /*data*/, void* hint) {
        const std::unique_ptr<wire::SharedFrame> owned(static_cast<wire::SharedFrame*>(hint));
      },
      held.get());
  held.release();  // NOLINT(bugprone-unused-return-value): the message owns it
  return message;
}

WakeFd::WakeFd() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw system_error(errno, "eventfd");
}

void WakeFd::signal() noexcept {
  const std::uint64_t one = 1;
  // Full means that it is readable, which is what counts.
  if (::write(fd_.get(), &one, sizeof(one)) < 0) return;
}

void WakeFd::drain() noexcept {
  std::uint64_t count = 0;
  if (::read(fd_.get(), &count, sizeof(count)) < 0) return;  // nothing there
}

std::string unused_endpoint() {
  static std::atomic<std::uint64_t> count{0};
  return fmt::format("inproc://muster-{}", count.fetch_add(1));
}

std::optional<SocketEvent> next_event(zmq::socket_t& monitor) {
  zmq::message_t head;
  while (monitor.recv(head, zmq::recv_flags::dontwait)) {
    discard_rest(monitor);  // the address
    SocketEvent out;
    if (head.size() < sizeof(out.event) + sizeof(out.value)) continue;
    std::memcpy(&out.event, head.data(), sizeof(out.event));
    std::memcpy(&out.value, head.data<char>() + sizeof(out.event), sizeof(out.value));
    return out;
  }
  return std::nullopt;
}

void poll_until(std::optional<TimePoint> until, std::span<zmq::pollitem_t> items) {
  std::chrono::milliseconds patience = -1ms;
  if (until) {
    const Duration left = std::clamp<Duration>(*until - Clock::now(), 0s, 1h);
    patience = std::chrono::ceil<std::chrono::milliseconds>(left);
  }
  try {
    zmq::poll(items.data(), items.size(), patience);
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR) throw;
  }
}

void discard_rest(zmq::socket_t& socket) {
  while (socket.get(zmq::sockopt::rcvmore) != 0) {
    zmq::message_t rest;
    if (!socket.recv(rest, zmq::recv_flags::dontwait)) return;
  }
}

}  // namespace muster::transport
