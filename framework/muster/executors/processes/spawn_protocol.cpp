#include <cerrno>
#include <csignal>
#include <cstring>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <muster/base/assert.hpp>
#include <muster/executors/processes/spawn_protocol.hpp>

namespace muster::detail {
namespace {

union ControlBuffer {
  char bytes[CMSG_SPACE(message_fds_max * sizeof(int))];
  cmsghdr align;
};

void collect_fds(msghdr& header, std::vector<UniqueFd>& out) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      out.emplace_back(fd);
    }
  }
}

}  // namespace

SendOutcome send_message(int socket, const SpawnMessage& message, const int* fds,
                         std::size_t fd_count) {
  MUSTER_ASSERT(fd_count <= message_fds_max);
  SpawnMessage copy = message;
  iovec part{&copy, sizeof(copy)};
  ControlBuffer control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (fd_count != 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
  }
  for (;;) {
    if (::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return SendOutcome::sent;
    if (errno == EINTR) continue;
    const bool full =
        errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS;
    return full ? SendOutcome::full : SendOutcome::gone;
  }
}

ReceiveOutcome receive_message(int socket, ReceivedMessage& out) {
  iovec part{&out.message, sizeof(out.message)};
  ControlBuffer control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof(control.bytes);
  ssize_t size = -1;
  do {
    size = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return errno == EAGAIN ? ReceiveOutcome::empty : ReceiveOutcome::gone;
  out.fds.clear();
  collect_fds(header, out.fds);
  const bool whole =
      size == static_cast<ssize_t>(sizeof(out.message)) && (header.msg_flags & MSG_TRUNC) == 0;
  return whole ? ReceiveOutcome::received : ReceiveOutcome::gone;
}

void signal_process(int pidfd, int signal) {
  // It fails only for a process that has ended and was reaped, which is what is wanted.
  ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
}

}  // namespace muster::detail
