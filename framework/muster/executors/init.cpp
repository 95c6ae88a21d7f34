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
#include <muster/executors/processes/task_host.hpp>
#include <muster/executors/processes/task_process.hpp>
#include <muster/executors/processes/zygote.hpp>
#include <muster/executors/processes/zygote_link.hpp>

namespace muster {
namespace {

struct ZygoteHandle {
  std::mutex mutex;
  pid_t pid = 0;
  pid_t owner = 0;  // who forked it: not a fork that runs no handlers and so inherits this
  UniqueFd control;
};

constinit PerProcess<ZygoteHandle> zygotes;

/// Whether the zygote still lives when the time is over.
bool is_alive(const ZygoteHandle& zygote, int timeout_ms) {
  if (!zygote.control || zygote.owner != ::getpid()) return false;
  pollfd polled{zygote.control.get(), 0, 0};
  int events = -1;
  do {
    events = ::poll(&polled, 1, timeout_ms);
  } while (events < 0 && errno == EINTR);
  return events == 0;  // the zygote never writes here: any event is its end
}

void bury(ZygoteHandle& zygote) {
  zygote.control.reset();
  // It is ending: the wait is as short as the kernel needs. ECHILD: somebody else reaped it.
  if (zygote.pid != 0 && zygote.owner == ::getpid()) {
    while (::waitpid(zygote.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  zygote.pid = 0;
}

// At the program's end, after the last static object is destroyed: a pool may be one, and have work
// to do. The kernel would end the zygote, too, but somebody has to reap it, and in a container
// there may be nobody else who does. The thread of a pool that was never ended still runs, and may
// hold the lock: for a second at most.
[[gnu::destructor]] void end_zygote() {
  ZygoteHandle* const zygote = zygotes.find();
  if (zygote == nullptr || zygote->owner != ::getpid()) return;
  const std::lock_guard lock(zygote->mutex);
  if (zygote->pid == 0) return;
  ::kill(zygote->pid, SIGKILL);
  bury(*zygote);
}

std::size_t count_threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

void fork_zygote(ZygoteHandle& zygote) {
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
  zygote.pid = pid;
  zygote.owner = parent;
  zygote.control = std::move(ours);
}

}  // namespace

void init() {
  if (in_task_process()) {
    throw Error(ErrorCode::usage, "a task process cannot have task processes of its own");
  }
  UniqueFd host = detail::take_host_socket();
  if (host && count_threads() == 1) detail::serve_as_task_host(std::move(host));
  ZygoteHandle& zygote = zygotes.get();
  const std::lock_guard lock(zygote.mutex);
  if (is_alive(zygote, 0)) return;
  const std::size_t threads = count_threads();
  if (threads != 1) {
    throw Error(ErrorCode::usage,
                "muster::init() was called when the program had " + std::to_string(threads) +
                    " threads already; a process with threads cannot be forked safely",
                "call muster::init() at the top of main, before anything starts a thread");
  }
  bury(zygote);
  fork_zygote(zygote);
}

bool in_task_process() noexcept { return detail::is_task_process(); }

bool is_initialized() noexcept {
  ZygoteHandle* const zygote = zygotes.find();
  if (zygote == nullptr) return false;
  const std::lock_guard lock(zygote->mutex);
  return zygote->owner == ::getpid();
}

namespace detail {
namespace {

class OwnZygote final : public ZygoteLink {
 public:
  UniqueFd connect() override {
    ZygoteHandle& zygote = zygotes.get();
    const std::lock_guard lock(zygote.mutex);
    return connect_over(zygote.control.get());
  }

  void bury() override {
    ZygoteHandle& zygote = zygotes.get();
    const std::lock_guard lock(zygote.mutex);
    // The kernel closes the sockets of a dying process in no order, and the pool saw another one.
    constexpr int sockets_close_within_ms = 1000;
    if (!is_alive(zygote, sockets_close_within_ms)) muster::bury(zygote);
  }
};

}  // namespace

std::shared_ptr<ZygoteLink> own_zygote() { return std::make_shared<OwnZygote>(); }

bool own_zygote_lives() noexcept {
  ZygoteHandle* const zygote = zygotes.find();
  if (zygote == nullptr) return false;
  const std::lock_guard lock(zygote->mutex);
  return is_alive(*zygote, 0);
}

UniqueFd connect_over(int control) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    throw system_error(errno, "cannot make a socket to the zygote");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  const int sent_fd = theirs.get();
  SpawnMessage request;
  request.kind = SpawnKind::connect;
  if (control < 0 || send_message(control, request, &sent_fd, 1) != SendOutcome::sent) {
    throw Error(ErrorCode::broken, "the zygote process, which makes task processes, is gone");
  }
  return ours;
}

}  // namespace detail
}  // namespace muster
