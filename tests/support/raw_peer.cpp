#include "raw_peer.hpp"

#include <cstdint>

namespace muster::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t greeting_bytes = 64;
constexpr unsigned char more_flag = 1;
constexpr unsigned char long_flag = 2;
constexpr unsigned char command_flag = 4;

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
