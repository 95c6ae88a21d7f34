#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <muster/executors/processes/process_setup.hpp>

namespace muster::detail {
namespace {

constexpr int exit_setup_failed = 71;  // EX_OSERR of sysexits.h

void require(bool condition) noexcept {
  if (!condition) std::_Exit(exit_setup_failed);
}

}  // namespace

void die_with_parent(pid_t parent) noexcept {
  require(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  require(::getppid() == parent);
}

void reset_signals() noexcept {
  for (int signal = 1; signal < NSIG; ++signal) {
    // Fails for SIGKILL, SIGSTOP and those the C library keeps for itself, as it should.
    ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  require(::sigprocmask(SIG_SETMASK, &none, nullptr) == 0);
}

void point_to_null(int first, int second) noexcept {
  const int null = ::open("/dev/null", O_RDWR);
  require(null >= 0 && ::dup2(null, first) == first && ::dup2(null, second) == second);
  if (null != first && null != second) ::close(null);
}

int keep_only(int fd) noexcept {
  constexpr int kept = STDERR_FILENO + 1;
  if (fd != kept) require(::dup3(fd, kept, O_CLOEXEC) == kept);
  require(::close_range(kept + 1, ~0U, 0) == 0);
  return kept;
}

}  // namespace muster::detail
