#include <array>
#include <random>

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <muster/base/file.hpp>
#include <muster/base/version.hpp>
#include <muster/cluster/local_host.hpp>
#include <muster/transport/tcp_address.hpp>

namespace muster::cluster {

wire::Hello hello_of_this_process() {
  wire::Hello hello;
  std::random_device random;  // the kernel's
  hello.instance = std::uint64_t{random()} << 32U | random();
  std::array<char, 256> name{};
  hello.host = ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "an unnamed host";
  hello.pid = static_cast<std::uint32_t>(::getpid());
  hello.version = version_text;
  return hello;
}

std::string own_address_towards(const std::string& coordinator) {
  std::string none = "127.0.0.1";
  const auto address = transport::parse_tcp_address(coordinator);
  if (!address) return none;
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;  // connecting sends nothing, and chooses the way
  addrinfo* found = nullptr;
  if (::getaddrinfo(address->host.c_str(), address->port.c_str(), &hints, &found) != 0) return none;
  std::string out = none;
  const UniqueFd socket(::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  std::array<char, NI_MAXHOST> text{};
  if (socket && ::connect(socket.get(), found->ai_addr, found->ai_addrlen) == 0 &&
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
      ::getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) == 0) {
    out = text.data();
    if (own.ss_family == AF_INET6) out = "[" + out + "]";
  }
  ::freeaddrinfo(found);
  return out;
}

}  // namespace muster::cluster
