#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

#include <fmt/format.h>
#include <sys/wait.h>

#include <muster/base/error.hpp>
#include <muster/launch/local_launcher.hpp>
#include <muster/launch/marked_process.hpp>
#include <muster/launch/poll.hpp>
#include <muster/launch/run_program.hpp>

namespace muster::launch {
namespace {

constexpr const char* worker_role = "worker";

// A worker that cannot live, for its options or its keys, says so and ends in a few milliseconds.
constexpr Duration birth = std::chrono::milliseconds(200);
constexpr Duration birth_poll = std::chrono::milliseconds(10);

}  // namespace

LocalLauncher::LocalLauncher(ClusterSpec spec, ClusterDirectory directory)
    : spec_(std::move(spec)), directory_(std::move(directory)) {}

void LocalLauncher::check() {
  if (find_program(spec_.worker.program)) return;
  throw Error(ErrorCode::usage, fmt::format("there is no program '{}'", spec_.worker.program),
              "install it, or name it with --worker-program");
}

void LocalLauncher::start(unsigned count) {
  std::vector<std::pair<pid_t, std::string>> born;
  for (unsigned i = 0; i < count; ++i) {
    const std::string number = directory_.make_log(worker_role);
    const auto log = directory_.log_of(worker_role, number);
    const pid_t pid = start_detached(
        {spec_.worker.arguments(), part_mark(spec_.token, worker_role, number), log});
    children_.push_back(pid);
    born.emplace_back(pid, log);
  }
  const auto dead = [&] {
    return std::find_if(born.begin(), born.end(),
                        [](const auto& each) { return has_ended(each.first); });
  };
  if (!poll_until([&] { return dead() != born.end(); }, birth, birth_poll)) return;
  throw Error(
      ErrorCode::broken,
      fmt::format("a worker has ended as soon as it was started: {}", tail_of(dead()->second)),
      "its options are --coordinator, --keys and --slots of 'muster cluster up'");
}

void LocalLauncher::reap() {
  std::erase_if(children_, [](pid_t each) { return ::waitpid(each, nullptr, WNOHANG) != 0; });
}

std::vector<Pilot> LocalLauncher::pilots() {
  reap();
  std::vector<Pilot> out;
  for (const MarkedProcess& each : marked_processes(spec_.token, worker_role)) {
    out.push_back({each.number, Pilot::State::running, fmt::format("pid {}", each.pid),
                   directory_.log_of(worker_role, each.number)});
  }
  return out;
}

void LocalLauncher::drain(const std::vector<Pilot>& which) {
  for (const MarkedProcess& each : marked_processes(spec_.token, worker_role)) {
    const bool is_meant = std::any_of(which.begin(), which.end(),
                                      [&](const Pilot& pilot) { return pilot.id == each.number; });
    if (is_meant) signal_marked(spec_.token, each, SIGUSR1);
  }
}

void LocalLauncher::end_all(Duration grace) {
  end_marked(spec_.token, worker_role, grace);
  reap();
}

Duration LocalLauncher::poll_interval() const { return std::chrono::seconds(1); }

}  // namespace muster::launch
