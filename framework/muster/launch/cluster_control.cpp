#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/launch/cluster_control.hpp>
#include <muster/launch/keeper.hpp>
#include <muster/launch/make_launcher.hpp>
#include <muster/launch/marked_process.hpp>
#include <muster/launch/own_coordinator.hpp>
#include <muster/launch/poll.hpp>
#include <muster/launch/run_program.hpp>

namespace muster::launch {
namespace {

using namespace std::chrono_literals;

// A keeper ends after its round, in which it may wait for an answer of Slurm or of ssh. If it were
// killed there, what it has just asked for could come when everybody else is gone.
constexpr Duration keeper_grace = 90s;
constexpr Duration coordinator_grace = 5s;
constexpr Duration failed_start_grace = 1s;

/// Programs and their keepers are processes of the machine where the cluster was brought up.
void require_this_host(const ClusterSpec& spec) {
  if (spec.host == this_host()) return;
  throw Error(ErrorCode::usage,
              fmt::format("the cluster '{}' was brought up on '{}'", spec.name, spec.host),
              fmt::format("run this there: ssh {}", spec.host));
}

void check_stop(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "interrupted");
}

}  // namespace

std::string this_host() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return host.data();
}

ClusterControl::ClusterControl(const std::filesystem::path& parent, const std::string& name,
                               Log log)
    : directory_(parent, name), log_(std::move(log)) {}

void ClusterControl::start_all(ClusterSpec& spec, const std::filesystem::path& muster_program,
                               const std::stop_token& stop) {
  if (spec.has_own_coordinator()) {
    spec.worker.coordinator = OwnCoordinator(spec, directory_).start();
    // The same port when it is started again: workers and clients look for it there.
    spec.bind = spec.worker.coordinator;
    directory_.save(spec);
    check_stop(stop);
  }
  try {
    make_launcher(spec, directory_)->start(spec.wanted);
  } catch (const Error&) {
    check_stop(stop);  // Ctrl-C reaches the programs that start them, too
    throw;
  }
  check_stop(stop);
  start_keeper(muster_program, spec.name);
}

void ClusterControl::start_keeper(const std::filesystem::path& muster_program,
                                  const std::string& name) const {
  const pid_t child =
      start_detached({{muster_program, "cluster", "keep", name}, {}, directory_.keeper_log()});
  // From here on it is found by its lock.
  if (poll_until([&] { return directory_.keeper() == child || has_ended(child); }, 20s, 2ms) &&
      directory_.keeper() == child) {
    return;
  }
  ::kill(child, SIGKILL);
  throw Error(ErrorCode::broken,
              fmt::format("the keeper does not start: {}", tail_of(directory_.keeper_log())));
}

void ClusterControl::end_keeper() const {
  const auto send = [&](int signal) {
    const auto pid = directory_.keeper();
    if (!pid) return;
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
    // Looked at again: from here on the descriptor is this process, whatever its number.
    if (pidfd && directory_.keeper() == pid)
      ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
  };
  const auto has_gone = [&] { return !directory_.keeper(); };
  send(SIGTERM);
  if (poll_until(has_gone, keeper_grace, 10ms)) return;
  send(SIGKILL);
  if (poll_until(has_gone, 10s, 10ms)) return;
  throw Error(ErrorCode::broken, "the keeper cannot be killed",
              fmt::format("'{}' is locked by it", directory_.path().string()));
}

std::string ClusterControl::bring_up(ClusterSpec spec, const std::filesystem::path& muster_program,
                                     const std::stop_token& stop) {
  spec.token = make_token();
  spec.host = this_host();
  const auto launcher = make_launcher(spec, directory_);
  launcher->check();
  directory_.claim(spec);
  try {
    start_all(spec, muster_program, stop);
    return spec.worker.coordinator;
  } catch (...) {
    try {
      end_all(spec, *launcher, failed_start_grace);
      directory_.remove();
    } catch (const std::exception& error) {
      log_(fmt::format("something may be left: {}; 'muster cluster down {}' tries again",
                       error.what(), spec.name));
    }
    throw;
  }
}

void ClusterControl::end_all(const ClusterSpec& spec, Launcher& launcher, Duration grace) const {
  end_keeper();
  launcher.end_all(grace);
  end_marked(spec.token, coordinator_role, coordinator_grace);
}

void ClusterControl::take_down(Duration grace) {
  const ClusterSpec spec = directory_.load();
  require_this_host(spec);
  end_all(spec, *make_launcher(spec, directory_), grace);
  directory_.remove();
}

void ClusterControl::keep_coordinator(OwnCoordinator& coordinator) {
  try {
    if (coordinator.restart_if_gone(Clock::now()))
      log_("the coordinator had ended, and was started again");
  } catch (const std::exception& error) {
    log_(error.what());
  }
}

void ClusterControl::keep(const std::stop_token& stop, const AskLoad& load) {
  const std::string name = directory_.load().name;
  const auto lock = directory_.lock_for_keeper();
  if (!lock) {
    throw Error(ErrorCode::usage, fmt::format("the cluster '{}' has a keeper", name),
                fmt::format("'muster cluster status {}' shows it", name));
  }
  // Once more, with the lock: if somebody has taken the cluster down meanwhile, it is not there.
  const ClusterSpec spec = directory_.load();
  require_this_host(spec);
  const auto launcher = make_launcher(spec, directory_);
  KeeperOptions options;
  options.wanted = spec.wanted;
  options.log = log_;
  if (spec.adapt) {
    options.adapt.emplace();
    options.adapt->min = spec.adapt->min;
    options.adapt->max = spec.adapt->max;
    options.adapt->slots_per_worker = spec.worker.slots.value_or(0);
    options.load = [&] { return load(spec); };
  }
  Keeper keeper(*launcher, std::move(options));
  OwnCoordinator coordinator(spec, directory_);
  log_(fmt::format("keeps {} workers of '{}'", spec.wanted, spec.name));
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock hold(mutex);
  const Duration interval = spec.poll != Duration::zero() ? spec.poll : launcher->poll_interval();
  while (!stop.stop_requested()) {
    if (spec.has_own_coordinator()) keep_coordinator(coordinator);
    keeper.round(Clock::now());
    wake.wait_for(hold, stop, interval, [] { return false; });
  }
  log_("ends");
}

ClusterStatus ClusterControl::status() const {
  ClusterStatus out;
  out.spec = directory_.load();
  if (out.spec.host == this_host()) {
    out.keeper = directory_.keeper();
    const auto coordinators = marked_processes(out.spec.token, coordinator_role);
    if (!coordinators.empty()) out.coordinator = coordinators.front().pid;
  }
  try {
    if (out.spec.launcher == LauncherKind::local) require_this_host(out.spec);
    out.pilots = make_launcher(out.spec, directory_)->pilots();
  } catch (const Error& error) {
    out.trouble = error.what();
  }
  return out;
}

}  // namespace muster::launch
