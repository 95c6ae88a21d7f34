#include <algorithm>
#include <csignal>
#include <iostream>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/base/units.hpp>
#include <muster/cli/cluster_run.hpp>
#include <muster/cli/commands.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/options.hpp>
#include <muster/cli/stop_signals.hpp>
#include <muster/cli/streams.hpp>
#include <muster/cli/views.hpp>
#include <muster/jobs/run_job.hpp>

namespace muster::cli {
namespace po = boost::program_options;
namespace {

struct RunOptions {
  jobs::JobSpec spec;
  unsigned workers = 0;  // none given: the usable CPUs
  bool dry_run = false;
  std::string coordinator;  // empty: the job runs here
  std::filesystem::path keys;
  std::int32_t priority = 0;
};

po::options_description option_table() {
  using Texts = std::vector<std::string>;
  po::options_description options("Options");
  auto add = options.add_options();
  add("output,o", po::value<std::string>()->value_name("DIR"),
      "write part files and a manifest to DIR; without it the result goes to standard output");
  add("set", po::value<Texts>()->composing()->value_name("NAME=VALUE"),
      "set a parameter of the task; may be given several times");
  add("workers,j", po::value<std::string>()->value_name("N"),
      "task processes (default: the CPUs this process may use)");
  add("partitions", po::value<std::string>()->value_name("N"),
      "reduce tasks and part files (default: from the size of the input)");
  add("chunk-size", po::value<std::string>()->value_name("SIZE"),
      "cut the input into chunks of this size, such as 8M (default: large at first, then smaller)");
  add("memory", po::value<std::string>()->value_name("SIZE"),
      "memory for the tables of each process (default: a share of the machine's)");
  add("tmp", po::value<std::string>()->value_name("DIR"),
      "where temporary files go (default: $TMPDIR or /tmp)");
  add("coordinator", po::value<std::string>()->value_name("ADDRESS"),
      "run the job on the workers of this coordinator, such as tcp://head:7600: they and it have "
      "to "
      "see the input, and the output or --tmp, under the same names");
  add("keys", po::value<std::string>()->value_name("DIR"),
      "with --coordinator: where client.key and coordinator.pub are");
  add("priority", po::value<std::int32_t>()->value_name("N"),
      "with --coordinator: jobs of a higher one go first (default: 0)");
  add("plugin-dir", po::value<Texts>()->composing()->value_name("DIR"),
      "look for plugins here first; may be given several times");
  add("overwrite", "replace an earlier output in DIR");
  add("dry-run", "print the plan and stop");
  add("json",
      "report as JSON lines, to standard output with -o or --dry-run, else to standard error");
  add("quiet,q", "print errors only; with --json, the summary only");
  add("verbose,v", "say more");
  add("help,h", "print this text");
  add("arguments", po::value<Texts>(), "TASK FILE...");
  return options;
}

void print_help(const po::options_description& options) {
  po::options_description shown("Options");
  for (const auto& each : options.options()) {
    if (each->long_name() != "arguments") shown.add(each);
  }
  std::cout << "Usage: muster run TASK FILE... [options]\n\n"
               "TASK is a plugin's or a task's name (wordcount), PLUGIN:TASK, or\n"
               "path/to/plugin.so:TASK.\n"
               "FILE is a file, a directory (all files below it), a quoted pattern, or - for\n"
               "standard input.\n\n"
            << shown;
}

unsigned parse_workers(const std::string& text) {
  constexpr unsigned workers_max = 4096;  // what ProcessPoolExecutor takes
  const unsigned workers = parse_count(text, "--workers");
  if (workers <= workers_max) return workers;
  throw Error(ErrorCode::usage, fmt::format("{} processes are too many", workers),
              fmt::format("give 1 to {}", workers_max));
}

/// `coordinator`: the one that is asked if none is given.
RunOptions read_options(const po::variables_map& values, const std::string& coordinator = {}) {
  using Texts = std::vector<std::string>;
  const auto text = [&](const char* name) { return values[name].as<std::string>(); };
  RunOptions out;
  jobs::JobSpec& spec = out.spec;
  if (values.count("arguments") == 0) {
    throw Error(ErrorCode::usage, "no task given",
                "muster run TASK FILE...; 'muster plugin list' shows the tasks");
  }
  spec.inputs = values["arguments"].as<Texts>();
  spec.task = spec.inputs.front();
  spec.inputs.erase(spec.inputs.begin());
  if (values.count("set") != 0) {
    for (const auto& each : values["set"].as<Texts>()) {
      spec.settings.push_back(parse_setting(each));
    }
  }
  if (values.count("output") != 0) spec.output = text("output");
  if (spec.output && spec.output->empty()) {
    throw Error(ErrorCode::usage, "--output is empty", "name a directory, or leave it out");
  }
  if (values.count("workers") != 0) out.workers = parse_workers(text("workers"));
  if (values.count("partitions") != 0) {
    spec.partitions = parse_count(text("partitions"), "--partitions");
  }
  if (values.count("chunk-size") != 0) {
    spec.chunk_bytes = parse_bytes(text("chunk-size"), "--chunk-size");
    if (*spec.chunk_bytes == 0) throw Error(ErrorCode::usage, "--chunk-size cannot be 0");
  }
  if (values.count("memory") != 0) spec.memory_bytes = parse_bytes(text("memory"), "--memory");
  if (values.count("tmp") != 0 && text("tmp").empty()) {
    throw Error(ErrorCode::usage, "--tmp is empty", "name a directory, or leave it out");
  }
  spec.temp_parent =
      values.count("tmp") != 0 ? std::filesystem::path(text("tmp")) : default_temp_parent();
  if (values.count("plugin-dir") != 0) {
    spec.plugin_directories = parse_plugin_directories(values["plugin-dir"].as<Texts>());
  }
  spec.overwrite = values.count("overwrite") != 0;
  out.dry_run = values.count("dry-run") != 0;
  out.coordinator = values.count("coordinator") != 0 ? text("coordinator") : coordinator;
  if (values.count("keys") != 0) out.keys = text("keys");
  if (values.count("priority") != 0) out.priority = values["priority"].as<std::int32_t>();
  if (out.coordinator.empty() && (values.count("keys") != 0 || values.count("priority") != 0)) {
    throw Error(ErrorCode::usage, "--keys and --priority are for jobs on a cluster",
                "add --coordinator ADDRESS");
  }
  return out;
}

int end_by(int signal) {
  ::signal(signal, SIG_DFL);
  ::raise(signal);
  return 128 + signal;  // blocked or ignored by whoever started us
}

ClusterRun on_cluster(const RunOptions& options) {
  return {options.spec, options.coordinator, options.keys, options.priority, options.dry_run};
}

int run_job(const RunOptions& options, JobView& view, const StopSignals& signals) {
  const auto write = [&](std::string_view bytes) {
    write_result(bytes, [&] {
      if (signals.received() != 0) throw Error(ErrorCode::cancelled, "cancelled");
    });
  };
  if (!options.coordinator.empty()) {
    run_on_cluster(on_cluster(options), view, signals, write);
    return 0;
  }
  ProcessPoolExecutor pool({.max_workers = options.workers, .prefetch = 0});
  jobs::LocalJobs local(pool, view, signals.token());
  if (options.dry_run) {
    local.explain(options.spec, [&](const jobs::Plan& plan) { write(view.explain(plan)); });
    return 0;
  }
  const jobs::JobReport report = local.run(options.spec, write);
  view.succeeded(report, options.spec.output ? options.spec.output->string() : "");
  return 0;
}

// Whatever happens from here on, the view is told.
template <class Body>
int run_with(JobView& view, const StopSignals& signals, Body&& body) {
  const auto fail = [&](const Error& error) {
    const Ending ending = ending_of(error, signals);
    view.failed(ending.error, ending.exit_code);
    return ending.exit_code;
  };
  try {
    return body();
  } catch (const ReaderGone&) {
    view.reader_left(128 + SIGPIPE);
    return end_by(SIGPIPE);
  } catch (const Error& error) {
    return fail(error);
  } catch (const std::system_error& error) {
    return fail(Error(ErrorCode::io, error.what()));
  } catch (const std::exception& error) {
    return fail(Error(ErrorCode::broken, error.what()));
  }
}

// Of a command line that cannot be parsed: then too somebody may wait for the summary.
bool names_option(const std::vector<std::string>& arguments, std::string_view name,
                  std::string_view letter = {}) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::any_of(arguments.begin(), end, [&](const std::string& each) {
    return each.substr(0, each.find('=')) == name || (!letter.empty() && each.starts_with(letter));
  });
}

int events_fd(bool output, bool dry_run) {
  return output || dry_run ? STDOUT_FILENO : STDERR_FILENO;
}

std::unique_ptr<JobView> make_view(const po::variables_map& values) {
  const auto given = [&](const char* name) { return values.count(name) != 0; };
  if (given("json")) {
    return make_json_view(events_fd(given("output"), given("dry-run")), given("quiet"));
  }
  return make_text_view({.quiet = given("quiet"), .verbose = given("verbose")});
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
  const po::options_description options = option_table();
  ::signal(SIGPIPE, SIG_IGN);
  po::variables_map values;
  try {
    values = parse_options(arguments, options, "arguments", "muster run");
  } catch (const Error& error) {
    if (!names_option(arguments, "--json")) throw;
    const bool output = names_option(arguments, "--output", "-o");
    const int code = static_cast<int>(exit_code_of(error.code()));
    const int fd = events_fd(output, names_option(arguments, "--dry-run"));
    make_json_view(fd, false)->failed(error, code);
    return code;
  }
  if (values.count("help") != 0) {
    print_help(options);
    return 0;
  }
  const StopSignals signals;
  const auto view = make_view(values);
  return run_with(*view, signals, [&] { return run_job(read_options(values), *view, signals); });
}

int submit_command(const std::vector<std::string>& arguments) {
  const po::options_description options = option_table();
  const auto values = parse_options(arguments, options, "arguments", "muster submit");
  if (values.count("help") != 0) {
    print_help(options);
    return 0;
  }
  const RunOptions job = read_options(values, default_coordinator());
  const StopSignals signals;
  fmt::print("{}\n", submit_to_cluster(on_cluster(job), signals));
  return 0;
}

}  // namespace muster::cli
