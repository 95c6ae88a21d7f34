#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <muster/base/file.hpp>

namespace muster::test {

/// A TCP connection on which a test writes what it likes. Every wait has a bound.
class TcpPeer {
 public:
  /// Connects to a port of 127.0.0.1: "tcp://127.0.0.1:PORT", or without the scheme. connected()
  /// says whether that worked.
  explicit TcpPeer(const std::string& address);

  bool connected() const { return static_cast<bool>(socket_); }
  /// Writes all; false if the other side has closed, or takes nothing for some seconds.
  bool write(std::string_view bytes);
  /// The other side closes the connection within the time. What it sends meanwhile is dropped.
  bool is_closed_within(std::chrono::milliseconds time);
  void close() { socket_.reset(); }

  static constexpr std::chrono::seconds patience{20};

 protected:
  /// Reads until there are so many bytes that nobody has taken; false if that does not happen.
  bool fill(std::size_t bytes, std::chrono::milliseconds within);
  std::string read_;  ///< and not taken

 private:
  UniqueFd socket_;
};

}  // namespace muster::test
