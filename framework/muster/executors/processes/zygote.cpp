#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/executors/processes/process_setup.hpp>
#include <muster/executors/processes/task_process.hpp>
#include <muster/executors/processes/zygote.hpp>

namespace muster::detail {
namespace {

std::uint64_t to_us(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000U +
         static_cast<std::uint64_t>(time.tv_usec);
}

UniqueFd watch_children() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &set, nullptr);
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw system_error(errno, "signalfd");
  return fd;
}

}  // namespace

Zygote::Zygote(UniqueFd control) : control_(std::move(control)), child_signals_(watch_children()) {}

void Zygote::run() {
  std::vector<pollfd> polled;
  for (;;) {
    polled.clear();
    polled.push_back({control_.get(), POLLIN, 0});
    polled.push_back({child_signals_.get(), POLLIN, 0});
    for (const Connection& connection : connections_) {
      const short events = connection.unsent.empty() ? POLLIN : POLLIN | POLLOUT;
      polled.push_back({connection.socket.get(), events, 0});
    }
    // No timeout: the program's end closes the control socket, and the kernel kills us anyway.
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) {
      throw system_error(errno, "poll");
    }
    reap();  // first, so that a pool which asks for a process knows which have ended
    for (std::size_t i = connections_.size(); i-- > 0;) {
      if (polled[i + 2].revents == 0 && connections_[i].unsent.empty()) continue;
      if (serve(connections_[i])) continue;
      close_connection(connections_[i]);
      connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (polled[0].revents != 0 && !accept_connections()) return;
  }
}

bool Zygote::accept_connections() {
  for (;;) {
    ReceivedMessage request;
    const ReceiveOutcome outcome = receive_message(control_.get(), request);
    if (outcome != ReceiveOutcome::received) return outcome == ReceiveOutcome::empty;
    if (request.message.kind != SpawnKind::connect || request.fds.size() != 1) continue;
    connections_.push_back({next_connection_++, std::move(request.fds.front()), {}});
  }
}

/// Answers what a pool asked for. False if the pool is gone.
bool Zygote::serve(Connection& connection) {
  for (;;) {
    ReceivedMessage request;
    const ReceiveOutcome outcome = receive_message(connection.socket.get(), request);
    if (outcome == ReceiveOutcome::gone) return false;
    if (outcome == ReceiveOutcome::empty) return flush(connection);
    if (request.message.kind == SpawnKind::spawn) spawn(connection, request);
    if (request.message.kind == SpawnKind::kill) kill(connection, request.message.child);
  }
}

void Zygote::spawn(Connection& connection, const ReceivedMessage& request) {
  Report report;
  report.message.kind = SpawnKind::spawned;
  report.message.child = request.message.child;
  if (request.fds.size() != message_fds_max) {
    report.message.error = EMFILE;  // the kernel drops descriptors for which there is no room
    connection.unsent.push_back(std::move(report));
    return;
  }
  const pid_t zygote = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    task_process_main({request.fds[0].get(), request.fds[1].get(), request.fds[2].get(),
                       request.fds[3].get(), zygote});
  }
  if (pid < 0) {
    report.message.error = errno;
  } else {
    // Until it is reaped, which happens below us only, the pid cannot mean another process.
    // No descriptor free: the report goes without, and the pool will not want that process.
    report.pidfd = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    report.message.pid = pid;
    children_.emplace(pid, Child{connection.id, request.message.child});
  }
  connection.unsent.push_back(std::move(report));
}

void Zygote::kill(const Connection& connection, std::uint64_t name) {
  for (const auto& [pid, child] : children_) {
    if (child.connection == connection.id && child.name == name) ::kill(pid, SIGKILL);
  }
}

void Zygote::reap() {
  signalfd_siginfo info{};
  while (::read(child_signals_.get(), &info, sizeof(info)) > 0) {
  }
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t pid = ::wait4(-1, &status, WNOHANG, &usage);
    if (pid <= 0) return;
    const auto found = children_.find(pid);
    if (found == children_.end()) continue;
    const Child child = found->second;
    children_.erase(found);
    Connection* connection = find(child.connection);
    if (connection == nullptr) continue;
    Report report;
    report.message.kind = SpawnKind::exited;
    report.message.child = child.name;
    report.message.pid = pid;
    report.message.status = status;
    report.message.max_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024U;
    report.message.user_time_us = to_us(usage.ru_utime);
    report.message.system_time_us = to_us(usage.ru_stime);
    connection->unsent.push_back(std::move(report));
  }
}

void Zygote::close_connection(const Connection& connection) {
  for (const auto& [pid, child] : children_) {
    if (child.connection == connection.id) ::kill(pid, SIGKILL);
  }
}

Zygote::Connection* Zygote::find(std::uint64_t connection) {
  const auto found = std::find_if(connections_.begin(), connections_.end(),
                                  [&](const Connection& each) { return each.id == connection; });
  return found == connections_.end() ? nullptr : &*found;
}

bool Zygote::flush(Connection& connection) {
  while (!connection.unsent.empty()) {
    const Report& report = connection.unsent.front();
    const int pidfd = report.pidfd.get();
    const std::size_t fd_count = report.pidfd ? 1 : 0;
    const SendOutcome outcome =
        send_message(connection.socket.get(), report.message, &pidfd, fd_count);
    if (outcome == SendOutcome::gone) return false;
    if (outcome == SendOutcome::full) return true;
    connection.unsent.pop_front();
  }
  return true;
}

void zygote_main(UniqueFd control, pid_t parent) noexcept {
  // An exception here ends the process, by noexcept: pools then report that the zygote has died.
  ::setpgid(0, 0);
  die_with_parent(parent);
  reset_signals();
  ::prctl(PR_SET_NAME, "muster-zygote");
  point_to_null(STDIN_FILENO, STDOUT_FILENO);
  int kept[] = {control.release()};
  keep_only(kept);
  control = UniqueFd(kept[0]);
  Zygote(std::move(control)).run();
  std::_Exit(0);
}

}  // namespace muster::detail
