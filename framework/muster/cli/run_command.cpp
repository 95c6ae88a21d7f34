#include <cerrno>
#include <csignal>
#include <iostream>

#include <fmt/format.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/base/units.hpp>
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
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool dry_run = false;
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
  add("plugin-dir", po::value<Texts>()->composing()->value_name("DIR"),
      "look for plugins here first; may be given several times");
  add("overwrite", "replace an earlier output in DIR");
  add("dry-run", "print the plan and stop");
  add("json", "report as JSON lines, to standard output with -o, else to standard error");
  add("quiet,q", "print errors only");
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
               "TASK is a task's name (wordcount), PLUGIN:TASK, or path/to/plugin.so:TASK.\n"
               "FILE is a file, a directory (all files below it), a quoted pattern, or - for\n"
               "standard input.\n\n"
            << shown;
}

RunOptions read_options(const po::variables_map& values) {
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
  if (spec.output && spec.output->empty()) throw Error(ErrorCode::usage, "--output is empty");
  if (values.count("workers") != 0) spec.workers = parse_count(text("workers"), "--workers");
  if (values.count("partitions") != 0) {
    spec.partitions = parse_count(text("partitions"), "--partitions");
  }
  if (values.count("chunk-size") != 0) {
    spec.chunk_bytes = parse_bytes(text("chunk-size"), "--chunk-size");
    if (*spec.chunk_bytes == 0) throw Error(ErrorCode::usage, "--chunk-size cannot be 0");
  }
  if (values.count("memory") != 0) spec.memory_bytes = parse_bytes(text("memory"), "--memory");
  spec.temp_parent =
      values.count("tmp") != 0 ? std::filesystem::path(text("tmp")) : default_temp_parent();
  if (values.count("plugin-dir") != 0) {
    for (const auto& each : values["plugin-dir"].as<Texts>()) {
      spec.plugin_directories.emplace_back(each);
    }
  }
  spec.overwrite = values.count("overwrite") != 0;
  out.json = values.count("json") != 0;
  out.quiet = values.count("quiet") != 0;
  out.verbose = values.count("verbose") != 0;
  out.dry_run = values.count("dry-run") != 0;
  return out;
}

void print_plan(const jobs::Plan& plan) {
  constexpr std::size_t chunks_shown = 20;
  const observe::JobPlanned summary = describe(plan);
  fmt::print("task        {} of plugin {} {} ({})\n", plan.info.name, plan.plugin_name,
             plan.plugin_version, plan.task.plugin.string());
  for (const plugin::Setting& each : plan.task.settings) {
    fmt::print("setting     {}={}\n", each.name, each.value);
  }
  fmt::print("input       {} in {} files\n", format_bytes(summary.input_bytes),
             format_count(summary.files));
  fmt::print("processes   {}, {} of memory each\n", plan.workers, format_bytes(plan.memory_bytes));
  fmt::print("partitions  {}\n", summary.partitions);
  fmt::print("chunks      {}\n", plan.chunks.size());
  for (std::size_t i = 0; i < std::min(plan.chunks.size(), chunks_shown); ++i) {
    const mapreduce::Range& first = plan.chunks[i].front();
    fmt::print(
        "  {:>4}  {:>10}  '{}' from byte {}{}\n", i + 1, format_bytes(bytes_of(plan.chunks[i])),
        plan.files[first.file].name, first.offset,
        plan.chunks[i].size() > 1 ? fmt::format(" and {} more", plan.chunks[i].size() - 1) : "");
  }
  if (plan.chunks.size() > chunks_shown) {
    fmt::print("  ... and {} more\n", plan.chunks.size() - chunks_shown);
  }
}

int end_by(int signal) {
  ::signal(signal, SIG_DFL);
  ::raise(signal);
  return 128 + signal;  // blocked or ignored by whoever started us
}

int run_job(const RunOptions& options) {
  const StopSignals signals;
  ::signal(SIGPIPE, SIG_IGN);
  const auto view = options.json
                        ? make_json_view(options.spec.output ? STDOUT_FILENO : STDERR_FILENO)
                        : make_text_view({options.quiet, options.verbose});
  try {
    ProcessPoolExecutor pool({.max_workers = options.spec.workers, .prefetch = 0});
    jobs::LocalJobs local(pool, *view, signals.token());
    if (options.dry_run) {
      local.explain(options.spec, print_plan);
      return 0;
    }
    const auto check_stop = [&] {
      if (signals.received() != 0) throw Error(ErrorCode::cancelled, "cancelled");
    };
    const jobs::JobReport report =
        local.run(options.spec, [&](std::string_view bytes) { write_result(bytes, check_stop); });
    view->succeeded(report, options.spec.output ? options.spec.output->string() : "");
    return 0;
  } catch (const ReaderGone&) {
    return end_by(SIGPIPE);
  } catch (const Error& error) {
    const bool interrupted = error.code() == ErrorCode::cancelled && signals.received() != 0;
    const int code =
        interrupted ? 128 + signals.received() : static_cast<int>(exit_code_of(error.code()));
    view->failed(interrupted ? Error(ErrorCode::cancelled, "interrupted") : error, code);
    return code;
  }
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
  const po::options_description options = option_table();
  const auto values = parse_options(arguments, options, "arguments", "muster run");
  if (values.count("help") != 0) {
    print_help(options);
    return 0;
  }
  return run_job(read_options(values));
}

}  // namespace muster::cli
