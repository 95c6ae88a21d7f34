#include <cerrno>
#include <cstdint>

#include <unistd.h>

#include <muster/base/assert.hpp>
#include <muster/executors/processes/wakeup.hpp>

namespace muster::detail {

void signal_eventfd(int fd) {
  const std::uint64_t one = 1;
  while (::write(fd, &one, sizeof(one)) < 0) {
    // EAGAIN: the counter is at its end, so it is readable, which is all that is wanted.
    MUSTER_ASSERT(errno == EINTR || errno == EAGAIN);
    if (errno == EAGAIN) return;
  }
}

void drain_eventfd(int fd) {
  std::uint64_t count = 0;
  while (::read(fd, &count, sizeof(count)) < 0 && errno == EINTR) {
  }
}

}  // namespace muster::detail
