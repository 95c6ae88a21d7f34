#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <muster/base/error.hpp>
#include <muster/sandbox/landlock.hpp>
#include <muster/sandbox/sandbox.hpp>
#include <muster/sandbox/syscall_filter.hpp>

namespace muster::sandbox {

Sandbox::Sandbox(const SandboxRules& rules) {
  if (rules.landlock_abi > 0) ruleset_ = make_ruleset(rules);
  if (rules.filters_calls) filter_ = make_syscall_filter();
}

SandboxFailure Sandbox::enter() const noexcept {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return {"RLIMIT_CORE", errno};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return {"no_new_privs", errno};
  if (ruleset_) {
    if (const int error = restrict_to(ruleset_.get()); error != 0) return {"landlock", error};
  }
  if (!filter_.empty()) {  // last: what precedes need not be allowed by it
    if (const int error = filter_syscalls(filter_); error != 0) return {"seccomp", error};
  }
  return {};
}

void enter_sandbox(const SandboxRules& rules) {
  const SandboxFailure failure = Sandbox(rules).enter();
  if (failure.error == 0) return;
  throw Error(ErrorCode::broken,
              fmt::format("a task process could not enter its sandbox: {}: {}", failure.step,
                          std::strerror(failure.error)),
              "--sandbox off of the worker runs tasks without one");
}

}  // namespace muster::sandbox
