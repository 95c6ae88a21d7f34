#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/executors/processes/child_handle.hpp>

namespace muster::detail {

ChildHandle::ChildHandle(std::uint64_t name, const AreaGeometry& geometry, bool fresh,
                         std::optional<unsigned> prefetch)
    : name_(name), channel_(geometry), window_(prefetch), fresh_(fresh) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw system_error(errno, "cannot make the output pipe of a task process");
  }
  output_ = UniqueFd(ends[0]);
  output_for_child_ = UniqueFd(ends[1]);
  // This end alone: what a task prints shall not fail because we are slow.
  if (::fcntl(output_.get(), F_SETFL, O_NONBLOCK) != 0) {
    throw system_error(errno, "cannot set up the output pipe of a task process");
  }
}

SendOutcome ChildHandle::request_spawn(int zygote, int wake, int lead) {
  const int fds[message_fds_max] = {channel_.memory(), wake, lead, output_for_child_.get()};
  SpawnMessage request;
  request.kind = SpawnKind::spawn;
  request.child = name_;
  const SendOutcome outcome = send_message(zygote, request, fds, message_fds_max);
  channel_.forget_memory();
  output_for_child_.reset();
  return outcome;
}

void ChildHandle::spawned(pid_t pid, UniqueFd pidfd) {
  pid_ = pid;
  pidfd_ = std::move(pidfd);
  if (stopped_with_ != 0) signal_process(pidfd_.get(), stopped_with_);
  if (kill_wanted_) signal_process(pidfd_.get(), SIGKILL);
}

void ChildHandle::close() {
  if (ending_) return;
  ending_ = true;
  channel_.send_close();
  channel_.flush();
}

void ChildHandle::kill() {
  ending_ = true;
  kill_wanted_ = true;
  if (pidfd_) signal_process(pidfd_.get(), SIGKILL);
}

void ChildHandle::end_for_memory() {
  ending_ = true;
  took_too_much_memory_ = true;
  if (pidfd_) signal_process(pidfd_.get(), SIGKILL);
}

void ChildHandle::stop(int signal) {
  if (signal == SIGKILL) {
    kill();
    return;
  }
  close();  // for one that survives the signal
  const bool is_new = std::exchange(stopped_with_, signal) != signal;
  if (is_new && pidfd_) signal_process(pidfd_.get(), signal);
}

bool ChildHandle::read_output(std::vector<std::string>& lines, std::size_t bytes_max) {
  char buffer[16384];
  for (std::size_t total = 0; total < bytes_max;) {
    const ssize_t size = ::read(output_.get(), buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0) return false;
    buffer_.add({buffer, static_cast<std::size_t>(size)}, lines);
    total += static_cast<std::size_t>(size);
  }
  return true;
}

WorkerDeath ChildHandle::describe_death(const SpawnMessage& exit) const {
  WorkerDeath death;
  death.pid = exit.pid;
  if (WIFSIGNALED(exit.status)) death.signal = WTERMSIG(exit.status);
  if (WIFEXITED(exit.status)) death.exit_code = WEXITSTATUS(exit.status);
  death.max_rss_bytes = exit.max_rss_bytes;
  death.user_time_us = exit.user_time_us;
  death.system_time_us = exit.system_time_us;
  death.position = channel_.position();
  death.stderr_tail = buffer_.tail();
  return death;
}

}  // namespace muster::detail
