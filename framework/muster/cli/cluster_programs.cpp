#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include <muster/base/cpu_count.hpp>
#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/units.hpp>
#include <muster/base/version.hpp>
#include <muster/cli/commands.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/options.hpp>
#include <muster/cli/own_directory.hpp>
#include <muster/cli/stop_signals.hpp>
#include <muster/cli/streams.hpp>
#include <muster/cli/worker_sandbox.hpp>
#include <muster/cluster/coordinator/coordinator.hpp>
#include <muster/cluster/local_host.hpp>
#include <muster/cluster/security/allowed_code.hpp>
#include <muster/cluster/security/authorized_keys.hpp>
#include <muster/cluster/security/key_files.hpp>
#include <muster/cluster/worker/worker_agent.hpp>
#include <muster/dashboard/dashboard.hpp>
#include <muster/transport/tcp_address.hpp>
#include <muster/transport/zmq_dialer.hpp>
#include <muster/transport/zmq_listener.hpp>

// The programs muster-coordinator and muster-worker.

namespace muster::cli {
namespace po = boost::program_options;
namespace {

void print_help(std::string_view usage, const po::options_description& options) {
  std::cout << usage << "\n" << options;
}

void require_safe(const std::string& address, bool has_keys, bool anyone_may) {
  if (has_keys || transport::is_loopback(address) || anyone_may) return;
  throw Error(ErrorCode::usage,
              fmt::format("'{}' can be reached from other machines, and whoever reaches it may run "
                          "any program on the workers",
                          address),
              "make keys with 'muster keys init' and add --keys DIR; or, on a network where you "
              "trust everybody, add --let-anyone-run-anything");
}

/// Whoever finds the file finds the whole address in it.
void publish_address(const std::filesystem::path& file, const std::string& address) {
  std::filesystem::path fresh = file;
  fresh += ".new";
  write_file_synced(fresh, address + "\n");
  std::filesystem::rename(fresh, file);
}

/// What a coordinator was sent that makes no sense, for the last line of its log; empty if nothing.
std::string harm_to(const transport::ZmqListener& listener,
                    const wire::Sessions::Counters& sessions) {
  const transport::ConnectionCounters connections = listener.connections();
  const std::pair<const char*, std::uint64_t> counts[] = {
      {"connections refused", connections.refused},
      {"silent connections", connections.silent},
      {"messages without end", connections.endless},
      {"messages of many parts or from peers that name themselves",
       listener.counters().odd_messages},
      {"damaged or foreign messages", sessions.bad_frames},
      {"messages that make no sense", sessions.malformed},
      {"messages of unknown types", sessions.unknown},
      {"messages without a session", sessions.stale},
      {"hellos refused", sessions.refused},
  };
  std::string out;
  for (const auto& [what, count] : counts) {
    if (count != 0)
      out += fmt::format("{}{}: {}", out.empty() ? "; it has seen " : ", ", what, count);
  }
  return out;
}

void serve_http(const po::variables_map& values, cluster::Coordinator& coordinator,
                const std::filesystem::path& state,
                const std::function<void(const std::string&)>& log,
                std::optional<dashboard::Dashboard>& out) {
  dashboard::DashboardOptions options;
  options.address = values["http"].as<std::string>();
  if (values.count("http-host") != 0)
    options.hosts = values["http-host"].as<std::vector<std::string>>();
  options.token = state / "http-token";
  options.log = log;
  out.emplace(std::move(options),
              [&](cluster::Question question, std::function<void(cluster::Answer)> answered) {
                coordinator.ask(std::move(question), std::move(answered));
              });
  log(fmt::format("serves http://{}/, with the token in {}", out->address(),
                  (state / "http-token").string()));
}

int run_coordinator(const po::variables_map& values) {
  const auto address = values["bind"].as<std::string>();
  const bool has_keys = values.count("keys") != 0;
  require_safe(address, has_keys, values.count("let-anyone-run-anything") != 0);
  const auto state = values.count("state") != 0
                         ? std::filesystem::path(values["state"].as<std::string>())
                         : own_directory("XDG_STATE_HOME", ".local/state");
  const StopSignals signals;
  transport::ZmqContext context;
  std::optional<cluster::AuthorizedKeys> authorized;
  std::optional<transport::ListenerKeys> keys;
  if (has_keys) {
    const std::filesystem::path directory = values["keys"].as<std::string>();
    keys = {cluster::read_key_file(directory / "coordinator.key"),
            [&](std::string_view key) { return authorized->user_of(key); }};
    authorized.emplace(directory);
  }
  const auto log = [](const std::string& line) { log_line("muster-coordinator", line); };
  cluster::CoordinatorOptions options;
  // Each life has a higher one than all before, as long as the clock does not go back.
  options.sessions.epoch = static_cast<std::uint64_t>(
      std::chrono::system_clock::now().time_since_epoch() / std::chrono::microseconds(1));
  constexpr int heartbeats_a_lease = 10;
  options.sessions.lease = parse_duration(values["lease"].as<std::string>(), "--lease");
  options.sessions.heartbeat = options.sessions.lease / heartbeats_a_lease;
  std::optional<cluster::AllowedCode> allowed;
  if (values.count("allow") != 0) {
    allowed.emplace(values["allow"].as<std::string>(), log);
    options.may_run = [&](const wire::Digest& digest) { return allowed->allows(digest); };
  }
  if (values.count("plugin-dir") != 0) {  // before anybody can connect: it may take long
    cluster::CodeStore store(state / "programs");
    const auto& given = values["plugin-dir"].as<std::vector<std::string>>();
    for (const std::filesystem::path& each : parse_plugin_directories(given))
      cluster::take_plugins(store, each, options.may_run, log);
  }
  transport::ConnectionLimits limits;
  limits.log = log;
  transport::ZmqListener listener(context, address, keys, limits);
  options.recover_within =
      parse_duration(values["recover-within"].as<std::string>(), "--recover-within");
  if (values.count("no-speculation") == 0) options.scheduler.speculation.emplace();
  options.log = log;
  cluster::Coordinator coordinator(std::move(options), listener, state,
                                   authorized ? &*authorized : nullptr);
  std::optional<dashboard::Dashboard> over_http;
  if (values.count("http") != 0) serve_http(values, coordinator, state, log, over_http);
  const std::stop_callback stop(signals.token(), [&] { coordinator.stop(); });
  log(fmt::format("listening at {}{}", listener.address(),
                  has_keys ? ", with keys" : ", without keys"));
  if (values.count("address-file") != 0)
    publish_address(values["address-file"].as<std::string>(), listener.address());
  coordinator.run();
  log("ends" + harm_to(listener, coordinator.core().session_counters()));
  return 0;
}

cluster::WorkerOptions read_worker(const po::variables_map& values) {
  cluster::WorkerOptions out;
  out.slots = values.count("slots") != 0 ? parse_count(values["slots"].as<std::string>(), "--slots")
                                         : usable_cpus();
  if (values.count("name") != 0) {
    out.name = values["name"].as<std::string>();
  } else {
    std::array<char, 64> host{};
    ::gethostname(host.data(), host.size() - 1);
    out.name = fmt::format("{}-{}", host.data(), ::getpid()).substr(0, wire::name_bytes_max);
  }
  for (const char* name : {"PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZ"}) {
    const char* const value = std::getenv(name);  // NOLINT: nobody sets it meanwhile
    if (value != nullptr) out.programs.environment.push_back(fmt::format("{}={}", name, value));
  }
  if (values.count("env") != 0) {
    for (const std::string& each : values["env"].as<std::vector<std::string>>()) {
      if (each.find('=') == 0 || each.find('=') == std::string::npos)
        throw Error(ErrorCode::usage,
                    fmt::format("--env '{}' is not of the form NAME=VALUE", each));
      out.programs.environment.push_back(each);
    }
  }
  const auto coordinator = values["coordinator"].as<std::string>();
  out.data_host = [coordinator] { return cluster::own_address_towards(coordinator); };
  if (values.count("data-host") != 0)
    out.data_host = [host = values["data-host"].as<std::string>()] { return host; };
  if (values.count("scratch") != 0) out.scratch = values["scratch"].as<std::string>();
  out.least_free = parse_bytes(values["min-free"].as<std::string>(), "--min-free");
  if (values.count("memory") != 0)
    out.memory_bytes = parse_bytes(values["memory"].as<std::string>(), "--memory");
  if (values.count("memory-max") != 0)
    out.memory_bytes_max = parse_bytes(values["memory-max"].as<std::string>(), "--memory-max");
  if (values.count("lifetime") != 0)
    out.lifetime = parse_duration(values["lifetime"].as<std::string>(), "--lifetime");
  out.log = [](const std::string& line) { log_line("muster-worker", line); };
  WorkerSandbox sandbox = start_worker_sandbox(values, out.log);
  out.programs.sandbox = std::move(sandbox.rules);
  out.sandbox = std::move(sandbox.text);
  return out;
}

int run_worker(const po::variables_map& values) {
  if (values.count("coordinator") == 0) {
    throw Error(ErrorCode::usage, "no coordinator given",
                "muster-worker --coordinator tcp://HOST:7600");
  }
  const auto cache = values.count("cache") != 0
                         ? std::filesystem::path(values["cache"].as<std::string>())
                         : own_directory("XDG_CACHE_HOME", ".cache");
  cluster::WorkerOptions options = read_worker(values);
  // Slurm sends SIGUSR1 some time before it kills.
  const StopSignals signals(SIGUSR1);
  transport::ZmqContext context;
  std::optional<transport::DialerKeys> keys;
  if (values.count("keys") != 0)
    keys = cluster::read_dialer_keys(values["keys"].as<std::string>(), "worker");
  transport::ZmqDialer dialer(context, values["coordinator"].as<std::string>(), std::move(keys));
  cluster::WorkerAgent agent(std::move(options), dialer, cache / "programs");
  const std::stop_callback drain(signals.drain_token(), [&] { agent.stop(); });
  const std::stop_callback stop(signals.token(), [&] { agent.stop(); });
  agent.run();
  return 0;
}

template <class Run>
int main_of(const std::vector<std::string>& arguments, const po::options_description& options,
            std::string_view program, std::string_view usage, Run run) {
  try {
    const auto values = parse_options(arguments, options, "", program);
    if (values.count("help") != 0) {
      print_help(usage, options);
    } else if (values.count("version") != 0) {
      std::cout << program << " " << version_text << "\n";
    } else {
      return run(values);
    }
    flush_stdout();
    return 0;
  } catch (const Error& error) {
    print_error(error);
    return static_cast<int>(exit_code_of(error.code()));
  } catch (const std::exception& error) {
    say(fmt::format("error: {}\n", error.what()));
    return static_cast<int>(ExitCode::job_failed);
  }
}

}  // namespace

int coordinator_main(const std::vector<std::string>& arguments) {
  po::options_description options("Options");
  auto add = options.add_options();
  add("bind",
      po::value<std::string>()->value_name("ADDRESS")->default_value("tcp://127.0.0.1:7600"),
      "where workers and clients connect to; port 0: any that is free");
  add("keys", po::value<std::string>()->value_name("DIR"),
      "where coordinator.key is, and the keys that may come in ('muster keys init' makes it)");
  add("state", po::value<std::string>()->value_name("DIR"),
      "where it keeps its journal of jobs, and programs and plugins (default: "
      "~/.local/state/muster)");
  add("plugin-dir", po::value<std::vector<std::string>>()->composing()->value_name("DIR"),
      "take the plugins (*.so) that are there, as 'muster plugin push' would; may be given several "
      "times");
  add("allow", po::value<std::string>()->value_name("FILE"),
      "run only the programs and plugins that are listed there ('muster plugin allow' adds to it)");
  add("http", po::value<std::string>()->value_name("ADDRESS"),
      "serve a page, JSON and Prometheus' metrics there, such as 127.0.0.1:7680; the file "
      "http-token of --state has its token");
  add("http-host", po::value<std::vector<std::string>>()->composing()->value_name("NAME"),
      "what a proxy before --http is called; may be given several times");
  add("lease", po::value<std::string>()->value_name("TIME")->default_value("10s"),
      "a worker or client that was not heard of for so long is given up");
  add("recover-within", po::value<std::string>()->value_name("TIME")->default_value("1m"),
      "after a restart jobs wait so long for workers that have map outputs of them");
  add("no-speculation",
      "do not run chunks of jobs a second time elsewhere that take far longer than others");
  add("let-anyone-run-anything", "bind to an address that other machines reach, without keys");
  add("address-file", po::value<std::string>()->value_name("FILE"),
      "write the address there as soon as it listens");
  add("version", "print the version");
  add("help,h", "print this text");
  return main_of(arguments, options, "muster-coordinator",
                 "Usage: muster-coordinator [options]\n\nTakes calls from clients and gives them "
                 "to workers.\n",
                 run_coordinator);
}

int worker_main(const std::vector<std::string>& arguments) {
  po::options_description options("Options");
  auto add = options.add_options();
  add("coordinator,c", po::value<std::string>()->value_name("ADDRESS"),
      "the coordinator, such as tcp://head:7600");
  add("slots,j", po::value<std::string>()->value_name("N"),
      "calls at a time (default: the CPUs this process may use)");
  add("name", po::value<std::string>()->value_name("NAME"),
      "what it is called in the cluster (default: HOST-PID)");
  add("keys", po::value<std::string>()->value_name("DIR"),
      "where worker.key and coordinator.pub are; or the key file, with coordinator.pub beside it");
  add("cache", po::value<std::string>()->value_name("DIR"),
      "where it keeps programs (default: ~/.cache/muster)");
  add("scratch", po::value<std::string>()->value_name("DIR"),
      "where the files of jobs lie while they run, on a disk of this machine (default: $TMPDIR or "
      "/tmp)");
  add("min-free", po::value<std::string>()->value_name("SIZE")->default_value("64M"),
      "take nothing while the disk of --scratch has less room");
  add("memory", po::value<std::string>()->value_name("SIZE"),
      "what jobs may use here, in all slots together, before they spill to disk (default: half of "
      "what this process may use)");
  add("memory-max", po::value<std::string>()->value_name("SIZE"),
      "end the task process that has most when all together have more (default: 95 % of what this "
      "process may use)");
  add("data-host", po::value<std::string>()->value_name("HOST"),
      "this machine's address for other workers, which fetch what jobs have left here (default: "
      "the "
      "one on the way to the coordinator)");
  add("lifetime", po::value<std::string>()->value_name("TIME"),
      "leave after so long, as after SIGTERM or SIGUSR1 (default: stay)");
  add("env", po::value<std::vector<std::string>>()->composing()->value_name("NAME=VALUE"),
      "set this for the programs that it runs; may be given several times");
  add_sandbox_options(options);
  add("version", "print the version");
  add("help,h", "print this text");
  return main_of(arguments, options, "muster-worker",
                 "Usage: muster-worker --coordinator ADDRESS [options]\n\nRuns calls of clients in "
                 "task processes of their programs.\n",
                 run_worker);
}

}  // namespace muster::cli
