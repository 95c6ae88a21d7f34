#include "held_link.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <muster/wire/frame.hpp>

namespace muster::test {
namespace {

constexpr const char* magic = "MSTR";  // of a frame
constexpr std::size_t beginning_bytes = 4096;

sockaddr_in loopback(int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  return out;
}

UniqueFd make_socket() { return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

std::string little_endian(std::uint16_t number) {
  return {static_cast<char>(number & 0xffU), static_cast<char>(number >> 8U)};
}

bool send_all(const UniqueFd& to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// What there is to be read; nothing at the end.
std::string read_some(const UniqueFd& from) {
  std::array<char, 65536> buffer;  // NOLINT: read into at once
  const ssize_t got = ::recv(from.get(), buffer.data(), buffer.size(), 0);
  return got <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(got));
}

bool is_readable(const UniqueFd& fd) {
  pollfd polled{fd.get(), POLLIN, 0};
  return ::poll(&polled, 1, 0) > 0;
}

}  // namespace

HeldLink::HeldLink(const std::string& coordinator)
    : port_(std::stoi(coordinator.substr(coordinator.rfind(':') + 1))), listener_(make_socket()) {
  sockaddr_in own = loopback(0);
  socklen_t size = sizeof own;
  auto* const any = reinterpret_cast<sockaddr*>(&own);
  if (::bind(listener_.get(), any, size) != 0 || ::listen(listener_.get(), 16) != 0 ||
      ::getsockname(listener_.get(), any, &size) != 0)
    throw std::runtime_error("no port is free");
  address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(own.sin_port));
  thread_ = std::thread([this] { run(); });
}

HeldLink::~HeldLink() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void HeldLink::run() {
  constexpr int look_each_ms = 2;
  for (;;) {
    std::vector<pollfd> polled{{listener_.get(), POLLIN, 0}};
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      for (const Pair& each : pairs_) {
        polled.push_back({each.from.get(), POLLIN, 0});
        polled.push_back({each.to.get(), POLLIN, 0});
      }
    }
    ::poll(polled.data(), polled.size(), look_each_ms);
    const std::lock_guard lock(mutex_);
    if (is_readable(listener_)) accept_one();
    std::erase_if(pairs_, [this](Pair& each) { return !pump(each); });
  }
}

void HeldLink::accept_one() {
  Pair made{UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)), make_socket()};
  const sockaddr_in to = loopback(port_);
  const int connected = ::connect(made.to.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
  if (made.from && connected == 0) pairs_.push_back(std::move(made));
}

/// False when it is over: one side has closed.
bool HeldLink::pump(Pair& pair) {
  if (is_readable(pair.from)) {
    const std::string bytes = read_some(pair.from);
    if (bytes.empty() && pair.state != State::holding) return false;
    if (pair.beginning.size() < beginning_bytes) pair.beginning += bytes;
    if (pair.state == State::holding) {
      pair.held += bytes;
    } else if (!send_all(pair.to, bytes)) {
      return false;
    }
  }
  if (is_readable(pair.to)) {
    const std::string bytes = read_some(pair.to);
    if (bytes.empty()) return false;
    if (pair.state == State::released) pair.answered += bytes.size();
    // The one behind it may be gone; what it had sent is passed on all the same.
    if (!send_all(pair.from, bytes) && pair.state != State::holding) return false;
  }
  return true;
}

void HeldLink::hold(const std::string& text) {
  const std::lock_guard lock(mutex_);
  for (Pair& each : pairs_) {
    if (each.beginning.find(text) != std::string::npos) each.state = State::holding;
  }
}

void HeldLink::release() {
  const std::lock_guard lock(mutex_);
  for (Pair& each : pairs_) {
    if (each.state != State::holding) continue;
    each.state = State::released;
    send_all(each.to, std::exchange(each.held, {}));
  }
}

std::size_t HeldLink::count(const std::string& frame_start) const {
  const std::lock_guard lock(mutex_);
  std::size_t out = 0;
  for (const Pair& each : pairs_) {
    for (auto at = each.held.find(frame_start); at != std::string::npos;
         at = each.held.find(frame_start, at + 1))
      ++out;
  }
  return out;
}

std::size_t HeldLink::held_frames() const {
  return count(magic + little_endian(wire::protocol_version));
}

std::size_t HeldLink::held_frames(wire::MessageType type) const {
  return count(magic + little_endian(wire::protocol_version) +
               little_endian(static_cast<std::uint16_t>(type)));
}

std::size_t HeldLink::answered() const {
  const std::lock_guard lock(mutex_);
  std::size_t out = 0;
  for (const Pair& each : pairs_) out += each.answered;
  return out;
}

}  // namespace muster::test
