#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/units.hpp>
#include <muster/cli/cluster_request.hpp>
#include <muster/cli/options.hpp>
#include <muster/cli/worker_sandbox.hpp>
#include <muster/transport/tcp_address.hpp>

namespace muster::cli {
namespace po = boost::program_options;
namespace {

namespace fs = std::filesystem;
using launch::ClusterSpec;
using launch::LauncherKind;

constexpr const char* usage_of_cluster = R"(Usage: muster cluster COMMAND ... [options]

  muster cluster up            start workers, and keep as many as were asked for
  muster cluster down [NAME]   end them, and remove what 'up' has made
  muster cluster status [NAME] what was asked for, and what is there (without NAME: all clusters)
  muster cluster print-script  the job script that 'up --launcher slurm' would submit
  muster cluster keep [NAME]   do the work of the keeper, which 'up' starts, in the foreground

'up' returns when the workers were started or submitted, and prints the coordinator's address. What
stands behind '--' is passed to sbatch: muster cluster up --launcher slurm ... -- --partition=P
)";

po::options_description cluster_description() {
  const auto text = [] { return po::value<std::string>(); };
  po::options_description options("Options of up and print-script");
  auto add = options.add_options();
  add("launcher", text()->value_name("KIND")->default_value("local"),
      "local: processes of this machine; slurm: array jobs; ssh: other machines");
  add("workers,n", text()->value_name("N"),
      "how many workers (default: 1; with ssh as many as the hosts take)");
  add("adapt", text()->value_name("MIN:MAX"),
      "instead of -n: as many as there is to do, within these; asks the coordinator, with "
      "client.key "
      "of --keys if there are keys");
  add("name", text()->value_name("NAME"), "of the cluster (default: default)");
  add("coordinator,c", text()->value_name("ADDRESS"),
      "the coordinator, as workers reach it (default: start one, with --bind)");
  add("bind", text()->value_name("ADDRESS"),
      "start a coordinator here, at an address that workers reach (default with local: "
      "tcp://127.0.0.1:*)");
  add("keys", text()->value_name("DIR"), "keys of workers, and of a coordinator of its own");
  add("slots,j", text()->value_name("N"), "calls at a time, of each worker (default: its CPUs)");
  add("lifetime", text()->value_name("TIME"),
      "workers leave after so long and are replaced; with slurm also the walltime, and a bit");
  add("drain-time", text()->value_name("TIME")->default_value("60s"),
      "slurm: workers take no more calls so long before their walltime");
  add("hosts", text()->value_name("LIST"), "ssh: a,b*4,user@c; b takes 4 workers");
  add("hostfile", text()->value_name("FILE"), "ssh: the same, one a line");
  add("ssh-command", text()->value_name("COMMAND")->default_value("ssh"),
      "ssh: the program, and options, separated by blanks");
  add("worker-program", text()->value_name("PATH"),
      "muster-worker where workers run (default: the one beside this program)");
  add("env", po::value<std::vector<std::string>>()->composing()->value_name("NAME=VALUE"),
      "set this for the programs that workers run; may be given several times");
  add_sandbox_options(options);
  add("poll", text()->value_name("TIME"),
      "how often the keeper looks (default: local 1s, ssh 10s, slurm 15s)");
  add("grace", text()->value_name("TIME")->default_value("10s"),
      "of down: what runs may go on for so long");
  add("help,h", "print this text");
  return options;
}

std::string text_of(const po::variables_map& values, const char* name) {
  return values.count(name) != 0 ? values[name].as<std::string>() : std::string();
}

/// Programs are looked for beside this one, as they are installed, and then in PATH.
std::string sibling_program(const char* name) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path sibling = self.parent_path() / name;
  return !error && fs::exists(sibling, error) ? sibling.string() : name;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  if (out.empty()) throw Error(ErrorCode::usage, "--ssh-command is empty", "leave it out");
  return out;
}

void read_hosts(const po::variables_map& values, ClusterSpec& spec) {
  const std::string hosts = text_of(values, "hosts");
  const std::string file = text_of(values, "hostfile");
  const bool is_ssh = spec.launcher == LauncherKind::ssh;
  if (is_ssh == (hosts.empty() && file.empty()) || (!hosts.empty() && !file.empty())) {
    throw Error(ErrorCode::usage,
                is_ssh ? "--launcher ssh takes either --hosts or --hostfile"
                       : "--hosts and --hostfile are for --launcher ssh",
                "--launcher ssh --hosts node1,node2*4");
  }
  if (!is_ssh) return;
  constexpr std::size_t file_max = std::size_t{1} << 20U;
  spec.hosts = file.empty() ? launch::parse_hosts(hosts)
                            : launch::parse_hostfile(read_file(file, file_max), file);
}

void read_coordinator(const po::variables_map& values, ClusterSpec& spec) {
  spec.worker.coordinator = text_of(values, "coordinator");
  spec.bind = text_of(values, "bind");
  if (!spec.worker.coordinator.empty() && !spec.bind.empty()) {
    throw Error(ErrorCode::usage, "--coordinator and --bind exclude each other",
                "--coordinator names one that runs, --bind starts one");
  }
  if (spec.worker.coordinator.empty() && spec.bind.empty()) {
    if (spec.launcher != LauncherKind::local) {
      throw Error(ErrorCode::usage, "where is the coordinator?",
                  "add --coordinator ADDRESS of one that runs, or --bind tcp://IP:PORT with an "
                  "address of this machine that workers reach, and one is started here");
    }
    spec.bind = "tcp://127.0.0.1:*";
  }
  const bool is_any = spec.bind.starts_with("tcp://0.0.0.0:") || spec.bind.starts_with("tcp://*:");
  if (is_any && spec.launcher != LauncherKind::local) {
    throw Error(ErrorCode::usage,
                fmt::format("workers on other machines cannot connect to '{}'", spec.bind),
                "--bind tcp://IP:PORT with an address of this machine that they reach");
  }
  const std::string keys = text_of(values, "keys");
  if (keys.empty() && !spec.bind.empty() && !transport::is_loopback(spec.bind)) {
    throw Error(ErrorCode::usage,
                fmt::format("'{}' can be reached from other machines, and whoever reaches it may "
                            "run any program on the workers",
                            spec.bind),
                "make keys with 'muster keys init' and add --keys DIR; to trust everybody start "
                "'muster-coordinator --let-anyone-run-anything' and name it with --coordinator");
  }
  if (!keys.empty()) spec.worker.keys = fs::absolute(keys).lexically_normal();
}

void read_worker_options(const po::variables_map& values, ClusterSpec& spec) {
  const std::string program = text_of(values, "worker-program");
  spec.worker.program = program.empty() ? sibling_program("muster-worker") : program;
  spec.coordinator_program = sibling_program("muster-coordinator");
  if (values.count("slots") != 0)
    spec.worker.slots = parse_count(values["slots"].as<std::string>(), "--slots");
  if (values.count("lifetime") != 0)
    spec.worker.lifetime = parse_duration(values["lifetime"].as<std::string>(), "--lifetime");
  if (values.count("env") != 0)
    spec.worker.environment = values["env"].as<std::vector<std::string>>();
  spec.worker.sandbox = sandbox_arguments(values);
  for (const std::string& each : spec.worker.environment) {
    if (each.find('=') == 0 || each.find('=') == std::string::npos)
      throw Error(ErrorCode::usage, fmt::format("--env '{}' is not of the form NAME=VALUE", each));
  }
}

void read_adapt(const po::variables_map& values, ClusterSpec& spec) {
  const std::string text = text_of(values, "adapt");
  if (text.empty()) return;
  if (values.count("workers") != 0)
    throw Error(ErrorCode::usage, "-n and --adapt exclude each other", "leave -n out");
  const auto colon = text.find(':');
  if (colon == std::string::npos) {
    throw Error(ErrorCode::usage, fmt::format("--adapt '{}' is not of the form MIN:MAX", text),
                "--adapt 1:8");
  }
  launch::AdaptRange range{parse_count(text.substr(0, colon), "--adapt"),
                           parse_count(text.substr(colon + 1), "--adapt")};
  if (range.min > range.max)
    throw Error(ErrorCode::usage, fmt::format("--adapt '{}': MIN is more than MAX", text),
                "--adapt 1:8");
  if (!spec.worker.keys.empty() && !fs::exists(fs::path(spec.worker.keys) / "client.key")) {
    throw Error(
        ErrorCode::usage,
        fmt::format("--adapt asks the coordinator, and '{}' has no client.key", spec.worker.keys),
        "'muster keys init client' makes one, to be authorized as --role client");
  }
  spec.adapt = range;
  spec.wanted = range.min;
}

void read_spec(const po::variables_map& values, ClusterSpec& spec) {
  spec.launcher = launch::parse_launcher_kind(values["launcher"].as<std::string>());
  if (!spec.sbatch_flags.empty() && spec.launcher != LauncherKind::slurm) {
    throw Error(ErrorCode::usage, "what stands behind '--' is passed to sbatch",
                "add --launcher slurm, or leave it out");
  }
  if (values.count("name") != 0) spec.name = values["name"].as<std::string>();
  launch::require_cluster_name(spec.name);
  read_hosts(values, spec);
  read_coordinator(values, spec);
  read_worker_options(values, spec);
  spec.wanted = spec.launcher == LauncherKind::ssh ? launch::total_count(spec.hosts) : 1;
  if (values.count("workers") != 0)
    spec.wanted = parse_count(values["workers"].as<std::string>(), "-n");
  read_adapt(values, spec);
  constexpr unsigned workers_max = 10'000;
  if (std::max(spec.wanted, spec.adapt ? spec.adapt->max : 0) > workers_max)
    throw Error(ErrorCode::usage, fmt::format("-n: at most {} workers", workers_max));
  spec.drain_time = parse_duration(values["drain-time"].as<std::string>(), "--drain-time");
  if (values.count("poll") != 0)
    spec.poll = parse_duration(values["poll"].as<std::string>(), "--poll");
  spec.ssh_command = words_of(values["ssh-command"].as<std::string>());
}

}  // namespace

std::string cluster_help() {
  std::ostringstream out;
  out << usage_of_cluster << "\n" << cluster_description();
  return out.str();
}

ClusterRequest read_cluster_request(const std::vector<std::string>& arguments) {
  const auto raw = std::find(arguments.begin(), arguments.end(), "--");
  ClusterRequest out;
  if (raw != arguments.end()) out.spec.sbatch_flags.assign(raw + 1, arguments.end());
  po::options_description options = cluster_description();
  options.add_options()("arguments", po::value<std::vector<std::string>>());
  const auto values =
      parse_options({arguments.begin(), raw}, options, "arguments", "muster cluster");
  if (values.count("help") != 0 || values.count("arguments") == 0) return out;
  out.names = values["arguments"].as<std::vector<std::string>>();
  out.command = out.names.front();
  out.names.erase(out.names.begin());
  out.grace = parse_duration(values["grace"].as<std::string>(), "--grace");
  if (out.command == "up" || out.command == "print-script") {
    read_spec(values, out.spec);
    return out;
  }
  // A name may be given as an option, too, as to `up`.
  if (values.count("name") != 0) out.names.push_back(values["name"].as<std::string>());
  for (const std::string& each : out.names) launch::require_cluster_name(each);
  return out;
}

}  // namespace muster::cli
