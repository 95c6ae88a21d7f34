#include "role.hpp"

#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/file.hpp>

namespace muster::test {
namespace {

std::string read_all(int fd) {
  std::string out;
  char buffer[4096];
  for (;;) {
    const ssize_t size = ::read(fd, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(size));
  }
}

}  // namespace

pid_t start_role(const std::string& role, int out, int err) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  std::string program = "/proc/self/exe";
  std::string argument = "--role=" + role;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? pid : -1;
}

RoleResult run_role(const std::string& role) {
  int out[2];
  int err[2];
  RoleResult result;
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) return result;
  const UniqueFd out_end(out[0]);
  const UniqueFd err_end(err[0]);
  const pid_t pid = start_role(role, out[1], err[1]);
  ::close(out[1]);
  ::close(err[1]);
  if (pid < 0) return result;
  std::thread reader([&] { result.err = read_all(err_end.get()); });
  result.out = read_all(out_end.get());
  reader.join();
  ::waitpid(pid, &result.status, 0);
  return result;
}

}  // namespace muster::test
