#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/stop_signals.hpp>

namespace muster::cli {
namespace {

// timeout(1) sends its signal twice, to its child and to the group of both. That is one.
constexpr Duration said_twice_within = std::chrono::seconds(1);

// A blocked signal is queued even if it is ignored, so signalfd would report it.
bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

StopSignals::StopSignals(std::optional<int> drain_signal) : drain_signal_(drain_signal) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) ::sigaddset(&set, signal);
  }
  if (drain_signal) ::sigaddset(&set, *drain_signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC));
  quit_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!signals_ || !quit_) throw system_error(errno, "cannot watch for signals");
  thread_ = std::thread([this] { watch(); });
}

StopSignals::~StopSignals() {
  const std::uint64_t one = 1;
  // An eventfd that holds 0 always takes a 1.
  [[maybe_unused]] const ssize_t put = ::write(quit_.get(), &one, sizeof one);
  thread_.join();
}

void StopSignals::watch() {
  for (;;) {
    pollfd fds[] = {{signals_.get(), POLLIN, 0}, {quit_.get(), POLLIN, 0}};
    // Without a bound: the destructor writes to quit_.
    if (::poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) continue;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == drain_signal_) {
      if (received_.load() == 0) drain_.request_stop();
      continue;
    }
    const TimePoint now = Clock::now();
    if (received_.load() != 0) {
      const bool is_the_same =
          signal == received_.load() && info.ssi_code == SI_USER && info.ssi_pid == first_from_;
      if (is_the_same && now < first_at_ + said_twice_within) continue;
      ::signal(signal, SIG_DFL);
      sigset_t set;
      ::sigemptyset(&set);
      ::sigaddset(&set, signal);
      ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
      ::raise(signal);
    }
    first_at_ = now;
    first_from_ = info.ssi_pid;
    received_.store(signal);
    source_.request_stop();
  }
}

Ending ending_of(const Error& error, const StopSignals& signals) {
  if (error.code() != ErrorCode::cancelled || signals.received() == 0) {
    return {error, static_cast<int>(exit_code_of(error.code()))};
  }
  return {Error(ErrorCode::cancelled, "interrupted"), 128 + signals.received()};
}

}  // namespace muster::cli
