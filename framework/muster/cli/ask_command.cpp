#include <algorithm>
#include <ctime>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/units.hpp>
#include <muster/base/version.hpp>
#include <muster/cli/commands.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/options.hpp>
#include <muster/cluster/client/job_client.hpp>
#include <muster/dashboard/cluster_json.hpp>

// What a coordinator is asked about its jobs and workers.

namespace muster::cli {
namespace po = boost::program_options;
namespace {

constexpr const char* ask_usage =
    R"(Usage: muster jobs                    the jobs that the coordinator knows, the newest last
       muster status JOB              how far a job is, or why it failed
       muster logs JOB [--follow]     what has happened to it
       muster cancel JOB              it is not wanted any more
       muster workers                 the workers that are there
       muster drain WORKER            it ends what it runs, and leaves
       muster doctor                  looks for what is wrong

  --json                  of jobs, status and workers: for programs, in one line
  --coordinator ADDRESS   (default: $MUSTER_COORDINATOR, or tcp://127.0.0.1:7600)
  --keys DIR              where client.key and coordinator.pub are
)";

struct AskOptions {
  std::string coordinator;
  std::filesystem::path keys;
  std::vector<std::string> rest;
  bool follow = false;
  bool json = false;
  bool help = false;
};

AskOptions read_ask_options(const std::vector<std::string>& arguments, const std::string& command) {
  po::options_description options("Options");
  auto add = options.add_options();
  add("coordinator", po::value<std::string>());
  add("keys", po::value<std::string>());
  add("follow,f", "");
  add("json", "");
  add("help,h", "");
  add("arguments", po::value<std::vector<std::string>>());
  const auto values = parse_options(arguments, options, "arguments", "muster " + command);
  AskOptions out;
  out.coordinator = values.count("coordinator") != 0 ? values["coordinator"].as<std::string>()
                                                     : default_coordinator();
  if (values.count("keys") != 0) out.keys = values["keys"].as<std::string>();
  if (values.count("arguments") != 0) out.rest = values["arguments"].as<std::vector<std::string>>();
  out.follow = values.count("follow") != 0;
  out.json = values.count("json") != 0;
  if (out.json && command != "jobs" && command != "status" && command != "workers")
    throw Error(ErrorCode::usage, fmt::format("'muster {}' has no --json", command),
                "jobs, status and workers have it");
  out.help = values.count("help") != 0;
  return out;
}

const std::string& only_argument(const AskOptions& options, const std::string& command,
                                 const char* what) {
  if (options.rest.size() == 1) return options.rest.front();
  throw Error(ErrorCode::usage, fmt::format("'muster {}' takes {}", command, what),
              fmt::format("muster {} {}", command, command == "drain" ? "WORKER" : "JOB"));
}

void require_no_arguments(const AskOptions& options, const std::string& command) {
  if (options.rest.empty()) return;
  throw Error(ErrorCode::usage, fmt::format("what is '{}'?", options.rest.front()),
              fmt::format("'muster {}' takes options alone", command));
}

/// What whoever has asked for it sees of it.
void cancel_job(cluster::JobClient& client, std::uint64_t job) {
  const wire::JobState before = client.state(job);
  client.cancel(job);
  fmt::print("job {} {}\n", job,
             before.has_ended() ? fmt::format("has ended already: {}", to_string(before.phase))
                                : "is being cancelled");
}

bool any_slots(cluster::JobClient& client) {
  const wire::WorkerRows rows = client.workers();
  return std::any_of(rows.workers.begin(), rows.workers.end(),
                     [](const wire::WorkerRow& each) { return each.state == "open"; });
}

std::string progress_of(const wire::JobState& job) {
  if (job.stages.empty()) return "-";
  const wire::StageState& last = job.stages.back();
  return fmt::format("{} {}/{}", last.name, last.chunks_done, last.chunks);
}

void print_jobs(const std::vector<wire::JobState>& jobs) {
  fmt::print("{:>5}  {:<9}  {:<16}  {:<16}  {:<19}  {}\n", "JOB", "STATE", "TASK", "PROGRESS",
             "SUBMITTED", "OUTPUT");
  for (const wire::JobState& each : jobs) {
    fmt::print("{:>5}  {:<9}  {:<16}  {:<16}  {:%Y-%m-%d %H:%M:%S}  {}\n", each.job,
               to_string(each.phase), each.task, progress_of(each),
               fmt::localtime(static_cast<std::time_t>(each.submitted)),
               each.output.empty() ? "-" : each.output);
  }
}

int print_status(const wire::JobState& job) {
  fmt::print("job      {}, {}, of '{}'\n", job.job, to_string(job.phase), job.owner);
  fmt::print("task     {}, {} of input\n", job.task, format_bytes(job.input_bytes));
  for (const wire::StageState& each : job.stages) {
    fmt::print("{:<8} {}/{} chunks, {} of {}, {}{}\n", each.name, each.chunks_done, each.chunks,
               format_bytes(each.bytes_done), format_bytes(each.bytes),
               format_duration(Duration(each.elapsed_ns)),
               each.retries == 0 ? "" : fmt::format(", {} retries", each.retries));
  }
  if (!job.output.empty()) fmt::print("output   {}\n", job.output);
  if (job.phase == wire::JobState::Phase::succeeded)
    fmt::print("result   {} lines, {}\n", format_count(job.records),
               format_bytes(job.result_bytes));
  if (!job.message.empty()) fmt::print("error    {}\n", job.message);
  if (!job.hint.empty()) fmt::print("  hint: {}\n", job.hint);
  return 0;
}

void print_log(cluster::JobClient& client, std::uint64_t job, bool follow) {
  std::uint64_t next = 0;
  const auto print_new = [&] {
    for (;;) {
      const wire::JobLog log = client.log(job, next);
      for (const std::string& each : log.lines) fmt::print("{}\n", each);
      next = log.next;
      if (log.lines.empty()) break;
    }
    std::fflush(stdout);
  };
  if (follow) {
    std::uint64_t seen = 0;
    client.watch(job, {.on_state = [&](const wire::JobState& state) {
                   if (std::exchange(seen, state.log_lines) == state.log_lines) return;
                   print_new();
                 }});
  }
  print_new();
}

void print_workers(const wire::WorkerRows& rows) {
  fmt::print("{:<24}  {:<8}  {:>5}  {:>5}  {:<20}  {:>7}  {}\n", "WORKER", "STATE", "SLOTS",
             "HOLDS", "HOST", "PID", "VERSION");
  for (const wire::WorkerRow& each : rows.workers) {
    fmt::print("{:<24}  {:<8}  {:>5}  {:>5}  {:<20}  {:>7}  {}\n", each.name, each.state,
               each.slots, each.attempts, each.host, each.pid, each.version);
  }
}

/// Says what is wrong; how many things.
int examine(cluster::JobClient& client, const AskOptions& options) {
  const TimePoint before = Clock::now();
  const wire::WorkerRows rows = client.workers();
  fmt::print("ok       the coordinator at {} answers, in {}{}\n", options.coordinator,
             format_duration(Clock::now() - before),
             options.keys.empty() ? ", without keys" : ", encrypted");
  int problems = 0;
  const auto problem = [&](const std::string& text, const std::string& remedy) {
    ++problems;
    fmt::print("problem  {}\n  hint: {}\n", text, remedy);
  };
  std::uint64_t slots = 0;
  std::set<std::string> versions{version_text};
  std::map<std::string, std::vector<std::string>> sandboxes;
  for (const wire::WorkerRow& each : rows.workers) {
    versions.insert(each.version);
    sandboxes[each.sandbox].push_back(each.name);
    if (each.state == "open") {
      slots += each.slots;
    } else {
      problem(fmt::format("worker '{}' of {} is {}", each.name, each.host, each.state),
              "its log says why");
    }
  }
  if (slots == 0) {
    problem("there is no worker that takes anything",
            fmt::format("muster-worker --coordinator {}", options.coordinator));
  } else {
    fmt::print("ok       {} workers, {} slots\n", rows.workers.size(), slots);
  }
  if (versions.size() > 1)
    problem(fmt::format("not all are of one version: {}", fmt::join(versions, ", ")),
            "install the same everywhere");
  for (const auto& [sandbox, workers] : sandboxes) {
    constexpr std::size_t named_max = 5;
    const std::size_t named = std::min(workers.size(), named_max);
    fmt::print(
        "         sandbox of {}{}: {}\n",
        fmt::join(workers.begin(), workers.begin() + static_cast<std::ptrdiff_t>(named), ", "),
        named < workers.size() ? fmt::format(" and {} more", workers.size() - named) : "", sandbox);
  }
  fmt::print("         {} open calls, {} open jobs\n", rows.open_calls, rows.open_jobs);
  return problems;
}

}  // namespace

int ask_command(const std::string& command, const std::vector<std::string>& arguments) {
  const AskOptions options = read_ask_options(arguments, command);
  if (options.help) {
    fmt::print("{}", ask_usage);
    return 0;
  }
  const bool is_of_a_job = command == "status" || command == "logs" || command == "cancel";
  const std::uint64_t job =
      is_of_a_job ? parse_count(only_argument(options, command, "the number of a job"), "JOB") : 0;
  const std::string worker =
      command == "drain" ? only_argument(options, command, "the name of a worker") : "";
  if (!is_of_a_job && command != "drain") require_no_arguments(options, command);
  cluster::JobClient client(options.coordinator, {.keys = options.keys});
  if (options.json) {
    fmt::print("{}\n", command == "jobs"     ? dashboard::jobs_json(client.list())
                       : command == "status" ? dashboard::job_json(client.state(job))
                                             : dashboard::workers_json(client.workers()));
  } else if (command == "jobs") {
    print_jobs(client.list());
  } else if (command == "status") {
    const wire::JobState state = client.state(job);
    print_status(state);
    if (!state.has_ended() && !any_slots(client))
      fmt::print("waits    no worker takes anything; 'muster doctor' says more\n");
  } else if (command == "logs") {
    print_log(client, job, options.follow);
  } else if (command == "cancel") {
    cancel_job(client, job);
  } else if (command == "doctor") {
    return examine(client, options) == 0 ? 0 : static_cast<int>(ExitCode::job_failed);
  } else {
    print_workers(command == "drain" ? client.drain(worker) : client.workers());
  }
  return 0;
}

}  // namespace muster::cli
