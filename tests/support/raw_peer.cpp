#include "raw_peer.hpp"

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

constexpr auto patience = 20s;
constexpr std::size_t greeting_bytes = 64;
constexpr unsigned char more_flag = 1;
constexpr unsigned char long_flag = 2;
constexpr unsigned char command_flag = 4;

/// Whether it can be read from, or written to, before it is time.
bool is_ready(int fd, short what, Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  pollfd polled{fd, what, 0};
  return ::poll(&polled, 1, static_cast<int>(std::max(left, 0ms).count())) > 0;
}

std::string big_endian(std::uint64_t number, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(number >> (8U * unsigned(i)));
  return out;
}

std::uint64_t from_big_endian(std::string_view bytes) {
  std::uint64_t out = 0;
  for (const char each : bytes) out = out << 8U | static_cast<unsigned char>(each);
  return out;
}

std::string property(std::string_view name, std::string_view value) {
  return static_cast<char>(name.size()) + std::string(name) + big_endian(value.size(), 4) +
         std::string(value);
}

}  // namespace

RawPeer::RawPeer(const std::string& address)
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

bool RawPeer::write(std::string_view bytes) {
  while (socket_ && !bytes.empty()) {
    const ssize_t put = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put > 0) bytes.remove_prefix(static_cast<std::size_t>(put));
    if (put < 0 && errno != EAGAIN) return false;
    if (put < 0 && !is_ready(socket_.get(), POLLOUT, Clock::now() + patience)) return false;
  }
  return bytes.empty();
}

bool RawPeer::shake_hands(std::string_view name) {
  // One after the other: ZeroMQ 4.3.4 takes nothing before it has said READY itself.
  if (!write(greeting()) || !fill(greeting_bytes, patience)) return false;
  read_.erase(0, greeting_bytes);
  if (!write(ready(name))) return false;
  const std::optional<Part> answer = next(patience);
  return answer && answer->body.starts_with("\x05READY");
}

std::optional<std::string> RawPeer::receive(std::chrono::milliseconds within) {
  const auto until = Clock::now() + within;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    std::optional<Part> part = next(left);
    if (!part) return std::nullopt;
    if ((part->flags & command_flag) == 0) return std::move(part->body);
  }
}

bool RawPeer::is_closed_within(std::chrono::milliseconds time) {
  const auto until = Clock::now() + time;
  while (socket_ && is_ready(socket_.get(), POLLIN, until)) {
    char bytes[4096];
    const ssize_t got = ::recv(socket_.get(), bytes, sizeof(bytes), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return true;
  }
  return !socket_;
}

/// Until there are so many bytes.
bool RawPeer::fill(std::size_t bytes, std::chrono::milliseconds within) {
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

std::optional<RawPeer::Part> RawPeer::next(std::chrono::milliseconds within) {
  const auto until = Clock::now() + within;
  const auto left = [&] {
    return std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  };
  if (!fill(1, left())) return std::nullopt;
  const auto flags = static_cast<unsigned char>(read_[0]);
  const std::size_t size_bytes = (flags & long_flag) != 0 ? 8 : 1;
  if (!fill(1 + size_bytes, left())) return std::nullopt;
  const std::uint64_t size = from_big_endian(std::string_view(read_).substr(1, size_bytes));
  if (!fill(1 + size_bytes + size, left())) return std::nullopt;
  Part out{flags, read_.substr(1 + size_bytes, size)};
  read_.erase(0, 1 + size_bytes + size);
  return out;
}

std::string RawPeer::greeting() {
  std::string out = "\xff" + std::string(8, '\0') + "\x7f";
  out += '\x03';  // version 3.0
  out += '\0';
  out += "NULL";
  out.resize(greeting_bytes, '\0');  // a client, and filler
  return out;
}

std::string RawPeer::ready(std::string_view name) {
  std::string body = "\x05READY" + property("Socket-Type", "DEALER");
  if (!name.empty()) body += property("Identity", name);
  return std::string{static_cast<char>(command_flag), static_cast<char>(body.size())} + body;
}

std::string RawPeer::head(std::uint64_t bytes, bool more) {
  return static_cast<char>(long_flag | (more ? more_flag : 0U)) + big_endian(bytes, 8);
}

std::string RawPeer::framed(std::string_view body, bool more) {
  constexpr std::size_t short_max = 255;
  if (body.size() > short_max) return head(body.size(), more) + std::string(body);
  return std::string{more ? '\x01' : '\0', static_cast<char>(body.size())} + std::string(body);
}

}  // namespace muster::test
