#include <array>
#include <random>

#include <unistd.h>

#include <muster/base/version.hpp>
#include <muster/cluster/local_host.hpp>

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

}  // namespace muster::cluster
