#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace muster::transport {

/// The parts of "tcp://host:port".
struct TcpAddress {
  std::string host;  ///< a name or a number; of IPv6 without brackets
  std::string port;
};

/// None of another kind of address, or one that makes no sense.
std::optional<TcpAddress> parse_tcp_address(std::string_view address);

/// Of 127.0.0.1, localhost, [::1] and what is no TCP: nobody on another machine gets there.
bool is_loopback(std::string_view address);

/// Why the host of an address cannot be found, for people; empty if it can, or there is none to be
/// looked for. Asks the system's resolver, for as long as that takes.
std::string host_trouble(std::string_view address);

}  // namespace muster::transport
