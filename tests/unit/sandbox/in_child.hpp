#pragma once

#include <functional>

#include <sys/wait.h>
#include <unistd.h>

#include <muster/sandbox/sandbox.hpp>

namespace muster::sandbox {

inline constexpr int no_sandbox = 255;

/// What `look` returns (0 to 254, such as an errno) in a child that has entered the sandbox, or in
/// one that has not, without rules; no_sandbox if it could not enter.
inline int in_child(const SandboxRules* rules, const std::function<int()>& look) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    try {
      if (rules != nullptr) enter_sandbox(*rules);
    } catch (const std::exception&) {
      ::_exit(no_sandbox);
    }
    ::_exit(look());
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : no_sandbox;
}

}  // namespace muster::sandbox
