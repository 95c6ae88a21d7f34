#include "tcp_peer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace muster::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Whether it can be read from, or written to, before it is time.
bool is_ready(int fd, short what, Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  pollfd polled{fd, what, 0};
  return ::poll(&polled, 1, static_cast<int>(std::max(left, 0ms).count())) > 0;
}

}  // namespace

TcpPeer::TcpPeer(const std::string& address)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  const int result = ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to));
  if (result == 0) return;
  int error = errno;
  socklen_t size = sizeof(error);
  const bool is_there = error == EINPROGRESS &&
                        is_ready(socket_.get(), POLLOUT, Clock::now() + patience) &&
                        ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0;
  if (!is_there || error != 0) socket_.reset();
}

bool TcpPeer::write(std::string_view bytes) {
  while (socket_ && !bytes.empty()) {
    const ssize_t put = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put > 0) bytes.remove_prefix(static_cast<std::size_t>(put));
    if (put < 0 && errno != EAGAIN) return false;
    if (put < 0 && !is_ready(socket_.get(), POLLOUT, Clock::now() + patience)) return false;
  }
  return bytes.empty();
}

bool TcpPeer::is_closed_within(std::chrono::milliseconds time) {
  const auto until = Clock::now() + time;
  while (socket_ && is_ready(socket_.get(), POLLIN, until)) {
    char bytes[4096];
    const ssize_t got = ::recv(socket_.get(), bytes, sizeof(bytes), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return true;
  }
  return !socket_;
}

bool TcpPeer::fill(std::size_t bytes, std::chrono::milliseconds within) {
  const auto until = Clock::now() + within;
  while (read_.size() < bytes) {
    if (!socket_ || !is_ready(socket_.get(), POLLIN, until)) return false;
    char some[4096];
    const ssize_t got = ::recv(socket_.get(), some, sizeof(some), 0);
    if (got <= 0) return false;
    read_.append(some, static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace muster::test
