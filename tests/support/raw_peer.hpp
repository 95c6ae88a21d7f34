#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <muster/base/file.hpp>

namespace muster::test {

/// A peer of a ZeroMQ socket that has no ZeroMQ: a TCP connection on which it writes what it likes.
/// It speaks ZMTP 3.0 with the mechanism NULL, as far as it wants to. Every wait has a bound.
class RawPeer {
 public:
  /// Connects to "tcp://127.0.0.1:PORT". connected() says whether that worked.
  explicit RawPeer(const std::string& address);

  bool connected() const { return static_cast<bool>(socket_); }
  /// Writes all; false if the other side has closed, or takes nothing for some seconds.
  bool write(std::string_view bytes);
  /// Greeting and READY, both ways. As a peer without a name unless one is given.
  bool shake_hands(std::string_view name = {});
  bool send(std::string_view frame) { return write(framed(frame, false)); }
  /// The next frame that is no command of ZMTP; none if the connection is closed, or nothing comes
  /// within the time.
  std::optional<std::string> receive(std::chrono::milliseconds within = std::chrono::seconds(20));
  /// The other side closes the connection within the time. What it sends meanwhile is dropped.
  bool is_closed_within(std::chrono::milliseconds time);
  void close() { socket_.reset(); }

  static std::string greeting();  ///< 64 bytes
  static std::string ready(std::string_view name);
  /// A frame as it stands on the wire.
  static std::string framed(std::string_view body, bool more);
  /// The beginning of a frame of so many bytes.
  static std::string head(std::uint64_t bytes, bool more);

 private:
  bool fill(std::size_t bytes, std::chrono::milliseconds within);
  struct Part {
    unsigned char flags = 0;
    std::string body;
  };
  std::optional<Part> next(std::chrono::milliseconds within);

  UniqueFd socket_;
  std::string read_;  ///< and not looked at
};

}  // namespace muster::test
