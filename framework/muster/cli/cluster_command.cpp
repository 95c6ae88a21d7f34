#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/cli/cluster_request.hpp>
#include <muster/cli/commands.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/options.hpp>
#include <muster/cli/own_directory.hpp>
#include <muster/cli/stop_signals.hpp>
#include <muster/cli/streams.hpp>
#include <muster/cluster/client/job_client.hpp>
#include <muster/launch/cluster_control.hpp>
#include <muster/launch/slurm_script.hpp>

namespace muster::cli {
namespace {

using launch::ClusterControl;
using launch::ClusterStatus;
using launch::LauncherKind;
using launch::Pilot;

std::filesystem::path clusters_directory() {
  return own_directory("XDG_STATE_HOME", ".local/state") / "clusters";
}

ClusterControl control_of(const std::string& name) {
  return {clusters_directory(), name,
          [](const std::string& line) { log_line("muster cluster", line); }};
}

void require_no_names(const ClusterRequest& request) {
  if (request.names.empty()) return;
  throw Error(
      ErrorCode::usage,
      fmt::format("'muster cluster {}' does not take '{}'", request.command, request.names.front()),
      "--name NAME names the cluster; flags of sbatch stand behind '--'");
}

/// The one name behind a command, or the one that clusters have if nobody names them.
std::string only_name(const ClusterRequest& request) {
  if (request.names.empty()) return launch::ClusterSpec().name;
  if (request.names.size() == 1) return request.names.front();
  throw Error(ErrorCode::usage, fmt::format("'muster cluster {}' takes one name", request.command));
}

std::string wanted_text(const launch::ClusterSpec& spec) {
  return spec.adapt ? fmt::format("{} to {}", spec.adapt->min, spec.adapt->max)
                    : std::to_string(spec.wanted);
}

int up(const ClusterRequest& request) {
  require_no_names(request);
  const StopSignals signals;
  ClusterControl control = control_of(request.spec.name);
  try {
    const std::string address = control.bring_up(
        request.spec, std::filesystem::read_symlink("/proc/self/exe"), signals.token());
    say(fmt::format("cluster '{}' is up: {} workers with launcher {}; logs are in {}\n",
                    request.spec.name, wanted_text(request.spec), to_string(request.spec.launcher),
                    control.directory().path().string()));
    fmt::print("{}\n", address);
    return static_cast<int>(ExitCode::ok);
  } catch (const Error& error) {
    const Ending ending = ending_of(error, signals);
    print_error(ending.error);
    return ending.exit_code;
  }
}

int down(const ClusterRequest& request) {
  const std::string name = only_name(request);
  control_of(name).take_down(request.grace);
  say(fmt::format("cluster '{}' is down\n", name));
  return static_cast<int>(ExitCode::ok);
}

/// Asks a cluster's coordinator what there is to do, over one connection as long as that lasts.
class LoadQuestion {
 public:
  std::optional<launch::Load> operator()(const launch::ClusterSpec& spec) {
    try {
      if (client_ == nullptr) {
        client_ = std::make_unique<cluster::JobClient>(
            spec.worker.coordinator,
            cluster::JobClientOptions{"muster cluster keep", spec.worker.keys, patience, patience});
      }
      const wire::WorkerRows rows = client_->workers();
      launch::Load load{rows.open_calls, 0};
      for (const wire::WorkerRow& each : rows.workers) load.slots += each.slots;
      return load;
    } catch (const Error&) {
      client_.reset();  // it may be started again just now; the next round asks anew
      return std::nullopt;
    }
  }

 private:
  static constexpr Duration patience = std::chrono::seconds(2);
  std::unique_ptr<cluster::JobClient> client_;
};

int keep(const ClusterRequest& request) {
  const StopSignals signals;
  const auto question = std::make_shared<LoadQuestion>();
  control_of(only_name(request)).keep(signals.token(), [question](const auto& spec) {
    return (*question)(spec);
  });
  return static_cast<int>(ExitCode::ok);
}

int print_script(const ClusterRequest& request) {
  require_no_names(request);
  launch::ClusterSpec spec = request.spec;
  if (spec.launcher != LauncherKind::slurm) {
    throw Error(ErrorCode::usage, "only --launcher slurm has a script", "add --launcher slurm");
  }
  spec.token = "TOKEN";  // each life of a cluster has one of its own
  if (spec.has_own_coordinator()) spec.worker.coordinator = spec.bind;
  const ClusterControl control = control_of(spec.name);
  fmt::print("{}", slurm_script(spec, spec.wanted, control.directory().logs()));
  return static_cast<int>(ExitCode::ok);
}

std::string process_text(const std::optional<pid_t>& pid, const std::filesystem::path& log) {
  if (!pid) return "not running; log " + log.string();
  return fmt::format("pid {}; log {}", *pid, log.string());
}

std::string counts_text(const std::vector<Pilot>& pilots) {
  using State = Pilot::State;
  std::string out;
  for (const State state : {State::running, State::pending, State::unknown, State::ending}) {
    const auto count = std::count_if(pilots.begin(), pilots.end(),
                                     [state](const Pilot& each) { return each.state == state; });
    if (count == 0 && state != State::running) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, to_string(state));
  }
  return out;
}

void print_status(const std::string& name) {
  const ClusterControl control = control_of(name);
  const ClusterStatus status = control.status();
  fmt::print("cluster '{}': launcher {}, {} workers wanted, {}\n", name,
             to_string(status.spec.launcher), wanted_text(status.spec),
             status.trouble.empty() ? counts_text(status.pilots) : status.trouble);
  const auto& directory = control.directory();
  if (status.spec.has_own_coordinator()) {
    fmt::print("  coordinator {}; {}\n", status.spec.worker.coordinator,
               process_text(status.coordinator, directory.coordinator_log()));
  } else {
    fmt::print("  coordinator {}\n", status.spec.worker.coordinator);
  }
  fmt::print("  keeper on {}; {}\n", status.spec.host,
             process_text(status.keeper, directory.keeper_log()));
  if (!status.keeper && status.spec.host == launch::this_host())
    fmt::print("    nobody replaces workers: 'muster cluster keep {}' does\n", name);
  for (const Pilot& each : status.pilots)
    fmt::print("  worker {}: {}; log {}\n", to_string(each.state), each.place, each.log);
}

int status(const ClusterRequest& request) {
  const auto names =
      request.names.empty() ? launch::ClusterDirectory::names(clusters_directory()) : request.names;
  if (names.empty()) fmt::print("no cluster is up\n");
  for (const std::string& each : names) print_status(each);
  return static_cast<int>(ExitCode::ok);
}

}  // namespace

int cluster_command(const std::vector<std::string>& arguments) {
  const ClusterRequest request = read_cluster_request(arguments);
  if (request.command.empty() || request.command == "help") {
    fmt::print("{}", cluster_help());
    return static_cast<int>(ExitCode::ok);
  }
  struct Command {
    const char* name;
    int (*run)(const ClusterRequest&);
  };
  constexpr std::array commands = {Command{"up", up}, Command{"down", down},
                                   Command{"status", status}, Command{"keep", keep},
                                   Command{"print-script", print_script}};
  std::vector<std::string> known;
  for (const Command& each : commands) {
    if (request.command == each.name) return each.run(request);
    known.emplace_back(each.name);
  }
  throw unknown_command("cluster ", request.command, known, "muster cluster --help");
}

}  // namespace muster::cli
