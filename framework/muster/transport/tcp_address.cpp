#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <muster/transport/tcp_address.hpp>

namespace muster::transport {

std::optional<TcpAddress> parse_tcp_address(std::string_view address) {
  constexpr std::string_view scheme = "tcp://";
  if (!address.starts_with(scheme)) return std::nullopt;
  address.remove_prefix(scheme.size());
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return TcpAddress{std::string(host), std::string(address.substr(colon + 1))};
}

bool is_loopback(std::string_view address) {
  const auto parts = parse_tcp_address(address);
  if (!parts) return !address.starts_with("tcp://");
  return parts->host.starts_with("127.") || parts->host == "localhost" || parts->host == "::1";
}

std::string host_trouble(std::string_view address) {
  const auto parts = parse_tcp_address(address);
  // "from;to" names the way, too: that is left to ZeroMQ.
  if (!parts || parts->host.find(';') != std::string::npos) return {};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int problem = ::getaddrinfo(parts->host.c_str(), nullptr, &hints, &found);
  if (problem != 0)
    return fmt::format("cannot find the host '{}': {}", parts->host, ::gai_strerror(problem));
  ::freeaddrinfo(found);
  return {};
}

}  // namespace muster::transport
