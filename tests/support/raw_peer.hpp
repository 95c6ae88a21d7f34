#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "tcp_peer.hpp"

namespace muster::test {

/// A peer of a ZeroMQ socket that has no ZeroMQ. It speaks ZMTP 3.0 with the mechanism NULL, as far
/// as it wants to.
class RawPeer : public TcpPeer {
 public:
  using TcpPeer::TcpPeer;

  /// Greeting and READY, both ways. As a peer without a name unless one is given.
  bool shake_hands(std::string_view name = {});
  bool send(std::string_view frame) { return write(framed(frame, false)); }
  /// The next frame that is no command of ZMTP; none if the connection is closed, or nothing comes
  /// within the time.
  std::optional<std::string> receive(std::chrono::milliseconds within = std::chrono::seconds(20));

  static std::string greeting();  ///< 64 bytes
  static std::string ready(std::string_view name);
  /// A frame as it stands on the wire.
  static std::string framed(std::string_view body, bool more);
  /// The beginning of a frame of so many bytes.
  static std::string head(std::uint64_t bytes, bool more);

 private:
  struct Part {
    unsigned char flags = 0;
    std::string body;
  };
  std::optional<Part> next(std::chrono::milliseconds within);
};

}  // namespace muster::test
