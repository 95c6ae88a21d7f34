#include <algorithm>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

void keep_only(std::span<int> fds) noexcept {
  constexpr int first = STDERR_FILENO + 1;
  const int above = first + static_cast<int>(fds.size());
  for (int& fd : fds) {  // out of the way first, since they may lie in each other's places
    fd = ::fcntl(fd, F_DUPFD_CLOEXEC, above);
    require(fd >= 0);
  }
  int place = first;
  for (int& fd : fds) {
    require(::dup3(fd, place, O_CLOEXEC) == place);
    fd = place++;
  }
  require(::close_range(static_cast<unsigned>(above), ~0U, 0) == 0);
}

void apply_limits(const ProcessLimits& limits) noexcept {
  const auto limit = [](__rlimit_resource_t resource, std::uint64_t value, rlim_t grace = 0) {
    if (value == 0) return;
    rlimit both{};
    require(::getrlimit(resource, &both) == 0);
    both.rlim_cur = std::min<rlim_t>(value, both.rlim_max);
    both.rlim_max = std::min<rlim_t>(both.rlim_cur + grace, both.rlim_max);
    require(::setrlimit(resource, &both) == 0);
  };
  limit(RLIMIT_AS, limits.address_space_bytes);
  // At its hard limit a process gets SIGKILL, which would not say why.
  limit(RLIMIT_CPU, limits.cpu_time_s, 1);
  limit(RLIMIT_FSIZE, limits.file_bytes);
  limit(RLIMIT_NOFILE, limits.open_files);
}

}  // namespace muster::detail
