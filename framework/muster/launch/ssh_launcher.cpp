#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/launch/ssh_launcher.hpp>
#include <muster/launch/ssh_script.hpp>

namespace muster::launch {
namespace {

using namespace std::chrono_literals;

constexpr Duration ssh_limit = 30s;
constexpr Duration give_up_after = 1min;

Error host_error(const std::string& host, const ProgramEnd& end) {
  constexpr int not_connected = 255;
  if (end.exit_code == not_connected || end.timed_out || end.start_error != 0) {
    return Error(
        ErrorCode::broken, fmt::format("host '{}' is not reached by ssh: {}", host, end.reason()),
        fmt::format("'ssh -o BatchMode=yes {} true' must succeed, without a password", host));
  }
  std::string text = end.err;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return Error(ErrorCode::broken,
               fmt::format("on host '{}': {}", host, text.empty() ? end.reason() : text),
               "muster-worker must be there, in PATH or where --worker-program says");
}

}  // namespace

SshLauncher::SshLauncher(ClusterSpec spec) : spec_(std::move(spec)) {}

std::vector<ProgramEnd> SshLauncher::run_on(const std::vector<std::string>& hosts,
                                            const std::vector<std::string>& scripts,
                                            Duration limit) const {
  std::vector<ProgramCall> calls;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    ProgramCall call{spec_.ssh_command, scripts[i]};
    call.arguments.insert(call.arguments.end(), {"-T", "-o", "BatchMode=yes", "-o",
                                                 "ConnectTimeout=10", "--", hosts[i], "sh"});
    calls.push_back(std::move(call));
  }
  return run_programs(calls, limit);
}

void SshLauncher::check() {
  if (!find_program(spec_.ssh_command.front())) {
    throw Error(ErrorCode::usage,
                fmt::format("there is no program '{}' here", spec_.ssh_command.front()),
                "install openssh-client, or name another one with --ssh-command");
  }
  if (spec_.wanted > total_count(spec_.hosts)) {
    throw Error(
        ErrorCode::usage,
        fmt::format("the hosts take {} workers, not {}", total_count(spec_.hosts), spec_.wanted),
        "HOST*COUNT lets a host take more");
  }
  look();
  for (const auto& [host, seen] : seen_) {
    if (seen.trouble) throw Error(*seen.trouble);
  }
}

std::vector<std::string> SshLauncher::all_hosts() const {
  std::vector<std::string> out;
  out.reserve(spec_.hosts.size());
  for (const HostShare& each : spec_.hosts) out.push_back(each.host);
  return out;
}

void SshLauncher::look() {
  const std::vector<std::string> hosts = all_hosts();
  std::vector<std::string> scripts;
  scripts.reserve(hosts.size());
  for (const std::string& each : hosts) scripts.push_back(ssh_look_script(spec_, each));
  const auto ends = run_on(hosts, scripts, ssh_limit);
  const TimePoint now = Clock::now();
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (ends[i].ok()) {
      seen_[hosts[i]] = {parse_look(ends[i].out, hosts[i]), std::nullopt, std::nullopt};
    } else {
      note_silence(spec_.hosts[i], host_error(hosts[i], ends[i]), now);
    }
  }
}

void SshLauncher::note_silence(const HostShare& host, const Error& trouble, TimePoint now) {
  const auto [place, was_never_seen] = seen_.try_emplace(host.host);
  Seen& seen = place->second;
  if (!seen.silent_since) seen.silent_since = now;
  seen.trouble = trouble;
  for (unsigned i = 1; was_never_seen && i <= host.count; ++i)
    seen.pilots.push_back({fmt::format("{}:?{}", host.host, i), {}, {}, "unknown"});
  for (Pilot& each : seen.pilots) {
    each.state = Pilot::State::unknown;
    each.place = trouble.what();
  }
  if (now - *seen.silent_since >= give_up_after) seen.pilots.clear();
}

std::vector<Pilot> SshLauncher::pilots() {
  look();
  std::vector<Pilot> out;
  for (const HostShare& each : spec_.hosts) {
    const auto& pilots = seen_[each.host].pilots;
    out.insert(out.end(), pilots.begin(), pilots.end());
  }
  return out;
}

void SshLauncher::start(unsigned count) {
  look();
  std::vector<std::string> hosts;
  std::vector<std::string> scripts;
  // First the hosts that answer, as far as they have room.
  for (const bool silent : {false, true}) {
    for (const HostShare& each : spec_.hosts) {
      const Seen& seen = seen_[each.host];
      const auto used = static_cast<unsigned>(seen.pilots.size());
      if (seen.silent_since.has_value() != silent || used >= each.count || count == 0) continue;
      const unsigned here = std::min(count, each.count - used);
      count -= here;
      hosts.push_back(each.host);
      scripts.push_back(ssh_start_script(spec_, each.host, here));
    }
  }
  const auto ends = run_on(hosts, scripts, ssh_limit);
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (!ends[i].ok()) throw host_error(hosts[i], ends[i]);
  }
  for (const auto& [host, seen] : seen_) {
    if (count != 0 && seen.trouble) throw Error(*seen.trouble);
  }
}

void SshLauncher::drain(const std::vector<Pilot>& which) {
  std::map<std::string, std::vector<std::string>> numbers;
  for (const Pilot& each : which) {
    const auto colon = each.id.rfind(':');
    numbers[each.id.substr(0, colon)].push_back(each.id.substr(colon + 1));
  }
  std::vector<std::string> hosts;
  std::vector<std::string> scripts;
  for (const auto& [host, of_host] : numbers) {
    hosts.push_back(host);
    scripts.push_back(ssh_drain_script(spec_, host, of_host));
  }
  const auto ends = run_on(hosts, scripts, ssh_limit);
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (!ends[i].ok()) throw host_error(hosts[i], ends[i]);
  }
}

void SshLauncher::end_all(Duration grace) {
  const std::vector<std::string> hosts = all_hosts();
  std::vector<std::string> scripts;
  scripts.reserve(hosts.size());
  for (const std::string& each : hosts) scripts.push_back(ssh_end_script(spec_, each, grace));
  const auto ends = run_on(hosts, scripts, grace + ssh_limit);
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (!ends[i].ok()) throw host_error(hosts[i], ends[i]);
  }
}

Duration SshLauncher::poll_interval() const { return 10s; }

}  // namespace muster::launch
