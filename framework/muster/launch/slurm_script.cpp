#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/version.hpp>
#include <muster/launch/shell_quote.hpp>
#include <muster/launch/slurm_script.hpp>

namespace muster::launch {
namespace {

namespace fs = std::filesystem;

/// Whether a flag of the user's is this option, with its value or without.
bool is_option(std::string_view flag, std::string_view long_name, char letter) {
  if (flag.starts_with(long_name))
    return flag.size() == long_name.size() || flag[long_name.size()] == '=';
  return letter != '\0' && flag.size() >= 2 && flag[0] == '-' && flag[1] == letter;
}

bool has_option(const std::vector<std::string>& flags, std::string_view long_name, char letter) {
  return std::any_of(flags.begin(), flags.end(),
                     [&](const std::string& each) { return is_option(each, long_name, letter); });
}

void require_allowed(const std::vector<std::string>& flags) {
  struct Owned {
    const char* name;
    char letter;
    const char* instead;
  };
  constexpr std::array owned = {
      Owned{"--array", 'a', "-n says how many workers there are"},
      Owned{"--job-name", 'J', "--name names the cluster, and so its jobs"},
      Owned{"--output", 'o', "'muster cluster status' says where the logs are"},
      Owned{"--error", 'e', "'muster cluster status' says where the logs are"},
      Owned{"--signal", '\0', "--drain-time says how long before the walltime workers drain"},
      Owned{"--wrap", '\0', "the script is Muster's"},
      Owned{"--parsable", '\0', "leave it out"},
      Owned{"--wait", 'W', "leave it out"},
      Owned{"--test-only", '\0', "'muster cluster print-script' shows what would be submitted"},
  };
  for (const std::string& flag : flags) {
    if (flag.find('\n') != std::string::npos)
      throw Error(ErrorCode::usage, "an option for sbatch has two lines");
    for (const Owned& each : owned) {
      if (is_option(flag, each.name, each.letter)) {
        throw Error(ErrorCode::usage, fmt::format("'{}' cannot be passed through to sbatch", flag),
                    each.instead);
      }
    }
  }
}

/// A file name pattern of sbatch: there '%' begins a field, and '\' switches that off.
std::string log_pattern(const fs::path& logs) {
  std::string out;
  for (const char c : logs.string()) {
    if (c == '\\' || c == '\n' || c == '"') {
      throw Error(ErrorCode::usage,
                  fmt::format("sbatch cannot be told of the directory '{}'", logs.string()),
                  "choose another one: XDG_STATE_HOME");
    }
    out.append(c == '%' ? 2 : 1, c);
  }
  return out + "/%A_%a.log";
}

/// As sbatch reads "#SBATCH" lines: in double quotes, with a backslash before some.
std::string sbatch_quote(const std::string& text) {
  if (text.find_first_of(" \t\"'\\#") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

/// The worker, with what only the job knows.
std::string worker_line(const ClusterSpec& spec) {
  std::string out = shell_command(spec.worker.arguments());
  // The id of the whole array and the index: a task that was requeued has the same name again.
  out += fmt::format(" --name {}-\"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"",
                     shell_quote(spec.name));
  if (!spec.worker.slots) out += " --slots \"${SLURM_CPUS_ON_NODE:-1}\"";
  return out;
}

Pilot::State state_of(std::string_view text) {
  using State = Pilot::State;
  constexpr std::array pending = {"PENDING",     "CONFIGURING",  "REQUEUED",     "REQUEUE_HOLD",
                                  "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"};
  if (std::find(pending.begin(), pending.end(), text) != pending.end()) return State::pending;
  constexpr std::array running = {"RUNNING",   "SUSPENDED", "STOPPED",
                                  "SIGNALING", "RESIZING",  "STAGE_OUT"};
  if (std::find(running.begin(), running.end(), text) != running.end()) return State::running;
  return State::ending;
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto bar = line.find('|');
    out.push_back(line.substr(0, bar));
    if (bar == std::string_view::npos) return out;
    line.remove_prefix(bar + 1);
  }
}

}  // namespace

std::string slurm_job_name(const ClusterSpec& spec) {
  return fmt::format("muster-{}-{}", spec.name, spec.token);
}

std::vector<std::string> sbatch_options(const ClusterSpec& spec, unsigned count,
                                        const fs::path& logs) {
  require_allowed(spec.sbatch_flags);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(spec.drain_time).count();
  std::vector<std::string> out = {
      fmt::format("--job-name={}", slurm_job_name(spec)), fmt::format("--array=0-{}", count - 1),
      fmt::format("--output={}", log_pattern(logs)),
      // A task that is requeued adds to its log.
      "--open-mode=append",
      // To the batch script, which is the worker.
      fmt::format("--signal=B:USR1@{}", seconds), "--requeue", "--ntasks=1"};
  const bool has_cpus = has_option(spec.sbatch_flags, "--cpus-per-task", 'c');
  if (spec.worker.slots && !has_cpus)
    out.push_back(fmt::format("--cpus-per-task={}", *spec.worker.slots));
  if (spec.worker.lifetime && !has_option(spec.sbatch_flags, "--time", 't')) {
    const auto minutes =
        std::chrono::ceil<std::chrono::minutes>(*spec.worker.lifetime + spec.drain_time).count();
    out.push_back(fmt::format("--time={}", minutes));
  }
  out.insert(out.end(), spec.sbatch_flags.begin(), spec.sbatch_flags.end());
  return out;
}

std::string slurm_script(const ClusterSpec& spec, unsigned count, const fs::path& logs) {
  std::string out = "#!/bin/sh\n";
  // A value that stands by itself belongs to the flag before it.
  bool is_first = true;
  for (const std::string& each : sbatch_options(spec, count, logs)) {
    out += each.starts_with('-') ? (is_first ? "#SBATCH " : "\n#SBATCH ") : " ";
    out += sbatch_quote(each);
    is_first = false;
  }
  out += fmt::format(
      "\n# Workers of the cluster '{}', by muster {}. The shell becomes the worker, "
      "so that signals reach it.\nexec {}\n",
      spec.name, version_text, worker_line(spec));
  return out;
}

std::string parse_job_id(std::string_view printed) {
  // "4711", or "4711;cluster" where there are several.
  const std::string_view id = printed.substr(0, printed.find_first_of(";\n"));
  const bool ok =
      !id.empty() && std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (ok) return std::string(id);
  throw Error(ErrorCode::broken,
              fmt::format("sbatch has printed '{}' where its job id should be", printed));
}

std::vector<Pilot> parse_squeue(std::string_view printed, const fs::path& logs) {
  std::vector<Pilot> out;
  while (!printed.empty()) {
    const std::string_view line = printed.substr(0, printed.find('\n'));
    printed.remove_prefix(std::min(line.size() + 1, printed.size()));
    if (line.empty()) continue;
    const auto fields = fields_of(line);
    constexpr std::size_t field_count = 4;
    if (fields.size() != field_count)
      throw Error(ErrorCode::broken, fmt::format("squeue has printed '{}'", line));
    Pilot pilot;
    pilot.id = fields[0];
    pilot.state = state_of(fields[1]);
    const bool has_node = !fields[3].empty();
    pilot.place = has_node ? fmt::format("job {} on {}", fields[0], fields[3])
                           : fmt::format("job {}, {}", fields[0], fields[2]);
    pilot.log = logs / fmt::format("{}.log", fields[0]);
    out.push_back(std::move(pilot));
  }
  return out;
}

}  // namespace muster::launch
