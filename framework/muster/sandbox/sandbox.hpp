#pragma once

#include <string>

#include <muster/base/file.hpp>
#include <muster/sandbox/sandbox_rules.hpp>

namespace muster::sandbox {

/// What to call, and what it said.
struct SandboxFailure {
  const char* step = "";  ///< "no_new_privs", "landlock", "seccomp"
  int error = 0;          ///< an errno; 0: nothing has failed
};

/// Rules made ready, so that entering takes system calls and nothing else. Not thread-safe; enter()
/// may be called in forks.
class Sandbox {
 public:
  /// Throws Error(io) if they cannot be made ready, Error(usage) if they contradict themselves.
  explicit Sandbox(const SandboxRules& rules);

  /// Puts the calling thread and all that it starts under the rules, for ever: no core files, no
  /// new privileges, Landlock, seccomp. Takes no memory and no lock: for use between fork and exec.
  /// After a failure the process must not go on.
  SandboxFailure enter() const noexcept;

 private:
  UniqueFd ruleset_;
  std::string filter_;
};

/// For a process that has one thread: enters, or throws Error(broken) that says what failed.
void enter_sandbox(const SandboxRules& rules);

}  // namespace muster::sandbox
