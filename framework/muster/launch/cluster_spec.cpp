#include <algorithm>
#include <cstdint>
#include <random>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <muster/base/error.hpp>
#include <muster/launch/cluster_spec.hpp>

namespace muster::launch {
namespace {

using Json = nlohmann::ordered_json;

constexpr int schema = 1;
constexpr std::size_t name_max = 24;

Json hosts_to_json(const std::vector<HostShare>& hosts) {
  Json out = Json::array();
  for (const HostShare& each : hosts) out.push_back({{"host", each.host}, {"count", each.count}});
  return out;
}

std::vector<HostShare> hosts_from_json(const Json& json) {
  std::vector<HostShare> out;
  for (const Json& each : json)
    out.push_back({each.at("host").get<std::string>(), each.at("count").get<unsigned>()});
  return out;
}

Json worker_to_json(const WorkerCommand& worker) {
  Json out = {{"program", worker.program},
              {"coordinator", worker.coordinator},
              {"keys", worker.keys},
              {"environment", worker.environment},
              {"sandbox", worker.sandbox}};
  if (worker.slots) out["slots"] = *worker.slots;
  if (worker.lifetime) out["lifetime_ns"] = worker.lifetime->count();
  return out;
}

WorkerCommand worker_from_json(const Json& json) {
  WorkerCommand out;
  json.at("program").get_to(out.program);
  json.at("coordinator").get_to(out.coordinator);
  json.at("keys").get_to(out.keys);
  json.at("environment").get_to(out.environment);
  if (json.contains("sandbox")) json.at("sandbox").get_to(out.sandbox);
  if (json.contains("slots")) out.slots = json.at("slots").get<unsigned>();
  if (json.contains("lifetime_ns"))
    out.lifetime = Duration(json.at("lifetime_ns").get<std::int64_t>());
  return out;
}

}  // namespace

LauncherKind parse_launcher_kind(std::string_view text) {
  for (const LauncherKind each : {LauncherKind::local, LauncherKind::slurm, LauncherKind::ssh}) {
    if (text == to_string(each)) return each;
  }
  throw Error(ErrorCode::usage, fmt::format("--launcher: there is no '{}'", text),
              "local, slurm or ssh");
}

const char* to_string(LauncherKind kind) noexcept {
  switch (kind) {
    case LauncherKind::local:
      return "local";
    case LauncherKind::slurm:
      return "slurm";
    case LauncherKind::ssh:
      break;
  }
  return "ssh";
}

void require_cluster_name(std::string_view name) {
  const bool ok = !name.empty() && name.size() <= name_max && name.front() != '.' &&
                  name.front() != '-' && std::all_of(name.begin(), name.end(), [](char c) {
                    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
                  });
  if (ok) return;
  throw Error(ErrorCode::usage, fmt::format("'{}' cannot be the name of a cluster", name),
              fmt::format("letters, digits, '.', '_' and '-'; at most {}", name_max));
}

std::string to_json(const ClusterSpec& spec) {
  Json json = {{"schema", schema},
               {"name", spec.name},
               {"token", spec.token},
               {"host", spec.host},
               {"launcher", to_string(spec.launcher)},
               {"wanted", spec.wanted},
               {"worker", worker_to_json(spec.worker)},
               {"bind", spec.bind},
               {"coordinator_program", spec.coordinator_program},
               {"sbatch_flags", spec.sbatch_flags},
               {"drain_time_ns", spec.drain_time.count()},
               {"hosts", hosts_to_json(spec.hosts)},
               {"ssh_command", spec.ssh_command},
               {"poll_ns", spec.poll.count()}};
  if (spec.adapt) json["adapt"] = {spec.adapt->min, spec.adapt->max};
  try {
    return json.dump(2) + "\n";
  } catch (const Json::exception&) {
    throw Error(ErrorCode::usage, "an option is not UTF-8 text, and could not be kept");
  }
}

ClusterSpec parse_spec(std::string_view text, std::string_view file) {
  try {
    const Json json = Json::parse(text);
    if (json.at("schema").get<int>() != schema) {
      throw Error(ErrorCode::usage, fmt::format("'{}' is of another version of Muster", file),
                  "take the cluster down with the version that brought it up");
    }
    ClusterSpec out;
    json.at("name").get_to(out.name);
    json.at("token").get_to(out.token);
    json.at("host").get_to(out.host);
    out.launcher = parse_launcher_kind(json.at("launcher").get<std::string>());
    json.at("wanted").get_to(out.wanted);
    if (json.contains("adapt")) {
      const Json& range = json.at("adapt");
      out.adapt = {range.at(0).get<unsigned>(), range.at(1).get<unsigned>()};
    }
    out.worker = worker_from_json(json.at("worker"));
    json.at("bind").get_to(out.bind);
    json.at("coordinator_program").get_to(out.coordinator_program);
    json.at("sbatch_flags").get_to(out.sbatch_flags);
    out.drain_time = Duration(json.at("drain_time_ns").get<std::int64_t>());
    out.hosts = hosts_from_json(json.at("hosts"));
    json.at("ssh_command").get_to(out.ssh_command);
    out.poll = Duration(json.at("poll_ns").get<std::int64_t>());
    require_cluster_name(out.name);
    return out;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::corrupt, fmt::format("'{}' is damaged: {}", file, error.what()));
  }
}

std::string make_token() {
  std::random_device random;
  constexpr unsigned half_bits = 32;
  return fmt::format("{:016x}", (std::uint64_t{random()} << half_bits) | random());
}

}  // namespace muster::launch
