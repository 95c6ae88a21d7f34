#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/forks.hpp>
#include <muster/executors/init.hpp>
#include <muster/executors/processes/spawn_protocol.hpp>
#include <muster/executors/processes/task_process.hpp>
#include <muster/executors/processes/zygote.hpp>
#include <muster/executors/processes/zygote_link.hpp>

namespace muster {
namespace {

struct ZygoteLink {
  std::mutex mutex;
  pid_t pid = 0;
  pid_t owner = 0;  // who forked it: not a fork that runs no handlers and so inherits this
  UniqueFd control;
};

constinit PerProcess<ZygoteLink> zygote_links;

ZygoteLink& zygote_link() { return zygote_links.get(); }

/// Whether the zygote still lives when the time is over.
bool is_alive(const ZygoteLink& link, int timeout_ms) {
  if (!link.control || link.owner != ::getpid()) return false;
  pollfd polled{link.control.get(), 0, 0};
  int events = -1;
  do {
    events = ::poll(&polled, 1, timeout_ms);
  } while (events < 0 && errno == EINTR);
  return events == 0;  // the zygote never writes here: any event is its end
}

void bury(ZygoteLink& link) {
  link.control.reset();
  // It is ending: the wait is as short as the kernel needs. ECHILD: somebody else reaped it.
  if (link.pid != 0 && link.owner == ::getpid()) {
    while (::waitpid(link.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  link.pid = 0;
}

// At the program's end, after the last static object is destroyed: a pool may be one, and have work
// to do. The kernel would end the zygote, too, but somebody has to reap it, and in a container
// there may be nobody else who does. The thread of a pool that was never ended still runs, and may
// hold the lock: for a second at most.
[[gnu::destructor]] void end_zygote() {
  ZygoteLink* const link = zygote_links.find();
  if (link == nullptr || link->owner != ::getpid()) return;
  const std::lock_guard lock(link->mutex);
  if (link->pid == 0) return;
  ::kill(link->pid, SIGKILL);
  bury(*link);
}

std::size_t count_threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

void fork_zygote(ZygoteLink& link) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw system_error(errno, "cannot make the zygote's socket");
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  std::fflush(nullptr);  // or what is buffered now would be written by every fork as well
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw system_error(errno, "cannot fork the zygote");
  if (pid == 0) {
    ours.reset();
    detail::zygote_main(std::move(theirs), parent);
  }
  ::setpgid(pid, pid);  // by both, so that neither has to wait for the other
  link.pid = pid;
  link.owner = parent;
  link.control = std::move(ours);
}

}  // namespace

void init() {
  if (in_task_process()) {
    throw Error(ErrorCode::usage, "a task process cannot have task processes of its own");
  }
  ZygoteLink& link = zygote_link();
  const std::lock_guard lock(link.mutex);
  if (is_alive(link, 0)) return;
  const std::size_t threads = count_threads();
  if (threads != 1) {
    throw Error(ErrorCode::usage,
                "muster::init() was called when the program had " + std::to_string(threads) +
                    " threads already; a process with threads cannot be forked safely",
                "call muster::init() at the top of main, before anything starts a thread");
  }
  bury(link);
  fork_zygote(link);
}

bool in_task_process() noexcept { return detail::is_task_process(); }

namespace detail {

UniqueFd connect_to_zygote() {
  ZygoteLink& link = zygote_link();
  const std::lock_guard lock(link.mutex);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    throw system_error(errno, "cannot make a socket to the zygote");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  const int sent_fd = theirs.get();
  SpawnMessage request;
  request.kind = SpawnKind::connect;
  if (!link.control ||
      send_message(link.control.get(), request, &sent_fd, 1) != SendOutcome::sent) {
    throw Error(ErrorCode::broken, "the zygote process, which makes task processes, is gone");
  }
  return ours;
}

void bury_zygote() {
  ZygoteLink& link = zygote_link();
  const std::lock_guard lock(link.mutex);
  // The kernel closes the sockets of a dying process in no order, and the pool saw another one.
  constexpr int sockets_close_within_ms = 1000;
  if (!is_alive(link, sockets_close_within_ms)) bury(link);
}

}  // namespace detail
}  // namespace muster
