#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <sys/types.h>

#include <muster/base/file.hpp>

namespace muster::detail {

// What pools and the zygote say to each other, over SOCK_SEQPACKET sockets: one struct a message,
// with file descriptors beside it. Both are forks of one program, so the layout is the format.
//
//   init -> zygote     connect            + the zygote's end of a new pool connection
//   pool -> zygote     spawn   child      + ring memfd, two wake eventfds, output pipe
//   zygote -> pool     spawned child pid  + pidfd; or error != 0: there is no process
//   pool -> zygote     kill    child      if no pidfd came, since either end had no descriptor free
//   zygote -> pool     exited  child pid status usage
//
// A pool that closes its connection wants all its children killed; the zygote does that and reaps
// them. The end of the zygote ends its children: they asked the kernel for it.

enum class SpawnKind : std::uint32_t { connect = 1, spawn, spawned, kill, exited };

struct SpawnMessage {
  SpawnKind kind = SpawnKind::connect;
  std::int32_t error = 0;   // spawned: an errno
  std::uint64_t child = 0;  // the pool's name for the process; pids come back to life, this doesn't
  std::int32_t pid = 0;
  std::int32_t status = 0;  // exited: as wait(2) gives it
  std::uint64_t max_rss_bytes = 0;
  std::uint64_t user_time_us = 0;
  std::uint64_t system_time_us = 0;
};

inline constexpr std::size_t message_fds_max = 4;

struct ReceivedMessage {
  SpawnMessage message;
  std::vector<UniqueFd> fds;
};

enum class SendOutcome { sent, full, gone };

/// Never blocks, raises no SIGPIPE. `full`: the socket takes no more for now; `gone`: the other end
/// is closed. The descriptors remain the caller's.
SendOutcome send_message(int socket, const SpawnMessage& message, const int* fds,
                         std::size_t fd_count);

enum class ReceiveOutcome { received, empty, gone };

/// Never blocks. Descriptors arrive with close-on-exec set. A message of another size than expected
/// counts as `gone`: whoever sent it is not what it should be.
ReceiveOutcome receive_message(int socket, ReceivedMessage& out);

/// Signals by pidfd: never hits another process that got the same pid.
void signal_process(int pidfd, int signal);

}  // namespace muster::detail
