#include <algorithm>
#include <map>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/cli/commands.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/options.hpp>
#include <muster/cli/plugin_check.hpp>
#include <muster/cli/plugin_new.hpp>
#include <muster/cli/stop_signals.hpp>
#include <muster/cli/streams.hpp>
#include <muster/cluster/client/job_client.hpp>
#include <muster/cluster/code/code_store.hpp>
#include <muster/cluster/code/sha256.hpp>
#include <muster/cluster/security/allowed_code.hpp>
#include <muster/jobs/task_functions.hpp>
#include <muster/plugin/store.hpp>

namespace muster::cli {
namespace po = boost::program_options;
namespace {

constexpr const char* usage_text =
    R"(Usage: muster plugin list [--plugin-dir DIR]...
       muster plugin check PLUGIN[:TASK] [--set NAME=VALUE]... [--plugin-dir DIR]...
       muster plugin new NAME
       muster plugin push FILE.so [--coordinator ADDRESS] [--keys DIR]
       muster plugin allow FILE.so|SHA-256 [--list FILE]

  list   shows every task, its parameters, and the plugin it comes from
  check  prints what a plugin says of itself, then runs its tasks, or the one named, over random
         text: the result must not change from run to run, nor with the chunks or the partitions.
         PLUGIN is a plugin's name or path/to/plugin.so; --set is for the tasks that know NAME
  new    writes a plugin project into the directory NAME
  push   has a coordinator take a plugin's file before jobs need it
  allow  adds a plugin, or what a SHA-256 names, to the list of 'muster-coordinator --allow FILE'
         (default: ./allowed); a running coordinator looks again. A program that was refused is
         named by the SHA-256 in that error
)";

const char* to_text(plugin::TaskKind kind) {
  return kind == plugin::TaskKind::map ? "map-only" : "map-reduce";
}

void print_task(const plugin::TaskInfo& task) {
  fmt::print("  {:<16} {}, {}\n", task.name, to_text(task.kind), task.summary);
  for (const plugin::ParameterInfo& each : task.parameters) {
    fmt::print("    --set {}={}{}{}  {}\n", each.name, each.choices.empty() ? "..." : each.choices,
               each.default_value.empty() ? "" : "  default ", each.default_value, each.help);
  }
}

using Paths = std::vector<std::filesystem::path>;

int list(const Paths& given, ProcessPoolExecutor& pool, const std::stop_token& stop) {
  const auto inspector = jobs::pool_inspector(pool, stop);
  int code = 0;
  for (const auto& file : plugin::plugin_files(plugin::plugin_directories(given))) {
    try {
      const plugin::PluginInfo info = inspector.describe(std::filesystem::absolute(file));
      fmt::print("{} {}  {}\n", info.name, info.version, file.string());
      for (const plugin::TaskInfo& each : info.tasks) print_task(each);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) throw;
      print_error(error);  // one bad file does not hide the others
      code = static_cast<int>(ExitCode::usage);
    }
  }
  return code;
}

const char* to_text(CheckOutcome outcome) {
  switch (outcome) {
    case CheckOutcome::passed:
      return "ok";
    case CheckOutcome::failed:
      return "FAILED";
    case CheckOutcome::skipped:
      return "skipped";
  }
  return "";
}

int print_results(const std::vector<CheckResult>& results) {
  std::size_t passed = 0;
  std::size_t failed = 0;
  for (const CheckResult& each : results) {
    fmt::print("  {:<7} {}: {}{}{}\n", to_text(each.outcome), each.task, each.what,
               each.detail.empty() ? "" : "; ", each.detail);
    passed += each.outcome == CheckOutcome::passed ? 1 : 0;
    failed += each.outcome == CheckOutcome::failed ? 1 : 0;
  }
  if (failed != 0) return static_cast<int>(ExitCode::job_failed);
  if (passed != 0) return 0;
  throw Error(ErrorCode::usage, "no task was checked", "give --set NAME=VALUE");
}

int check(const std::string& name, const std::vector<plugin::Setting>& settings, const Paths& given,
          ProcessPoolExecutor& pool, const std::stop_token& stop) {
  const plugin::TaskName parsed = plugin::parse_task_name(name);
  const auto inspector = jobs::pool_inspector(pool, stop);
  const auto file = plugin::find_plugin(parsed, plugin::plugin_directories(given));
  plugin::PluginInfo info = inspector.describe(file);
  if (!parsed.task.empty()) info.tasks = {jobs::resolve_task(name, given, inspector).task};
  fmt::print("plugin    {} {}\nfile      {}\nABI       {}\nSDK       {}\ncompiler  {}\n", info.name,
             info.version, file.string(), info.abi_version, info.sdk_version, info.compiler);
  fmt::print("tasks\n");
  for (const plugin::TaskInfo& each : info.tasks) print_task(each);
  fmt::print("checks\n");
  return print_results(check_tasks(file, info.tasks, settings, pool, stop));
}

int make_new(const std::string& name) {
  write_plugin_project(name, std::filesystem::current_path());
  const std::string prefix = package_prefix().string();
  fmt::print(
      "{0}/ written. To build, test and run it:\n"
      "  cmake -S {0} -B {0}/build -DCMAKE_PREFIX_PATH=\"{1}\"\n"
      "  cmake --build {0}/build && ctest --test-dir {0}/build --output-on-failure\n"
      "  \"{1}/bin/muster\" run {0}/build/plugins/{0}.so {0}/sample.txt\n",
      name, prefix);
  return 0;
}

int push(const po::variables_map& values, const std::string& file) {
  constexpr std::size_t magic_bytes = 4;
  const UniqueFd opened = open_file(file, O_RDONLY);
  std::string begin(magic_bytes, '\0');
  begin.resize(read_at(opened.get(), begin.data(), begin.size(), 0, file));
  if (begin !=
      "\x7f"
      "ELF") {
    throw Error(ErrorCode::usage, fmt::format("'{}' is no plugin: it is no shared object", file),
                "name the NAME.so that was built");
  }
  cluster::JobClientOptions options;
  if (values.count("keys") != 0) options.keys = values["keys"].as<std::string>();
  cluster::JobClient client(values.count("coordinator") != 0
                                ? values["coordinator"].as<std::string>()
                                : default_coordinator(),
                            options);
  client.push(file);
  fmt::print("{}  {}\n", cluster::to_hex(cluster::sha256_of_file(file)), file);
  return 0;
}

int allow(const po::variables_map& values, const std::string& what) {
  const std::string list =
      values.count("list") != 0 ? values["list"].as<std::string>() : std::string("allowed");
  const auto given = cluster::parse_hex(what);
  const wire::Digest digest = given ? *given : cluster::sha256_of_file(what);
  const std::string name =
      given ? std::string("given") : std::filesystem::path(what).filename().string();
  const bool is_new = cluster::AllowedCode::add(list, digest, name);
  fmt::print("{}  {}\n", cluster::to_hex(digest), is_new ? name : "is there already");
  return 0;
}

po::options_description option_table() {
  using Texts = std::vector<std::string>;
  po::options_description options;
  auto add = options.add_options();
  add("plugin-dir", po::value<Texts>()->composing());
  add("set", po::value<Texts>()->composing());
  add("coordinator", po::value<std::string>());
  add("keys", po::value<std::string>());
  add("list", po::value<std::string>());
  add("help,h", "");
  add("arguments", po::value<Texts>());
  return options;
}

std::vector<std::string> texts(const po::variables_map& values, const char* name) {
  if (values.count(name) == 0) return {};
  return values[name].as<std::vector<std::string>>();
}

std::string one_argument(const std::vector<std::string>& arguments, const char* form) {
  if (arguments.size() == 2) return arguments[1];
  throw Error(ErrorCode::usage,
              fmt::format("'muster plugin {}' takes one argument", arguments.front()),
              fmt::format("muster plugin {}", form));
}

void refuse_option(const po::variables_map& values, const char* name, const std::string& command) {
  if (values.count(name) == 0) return;
  throw Error(ErrorCode::usage, fmt::format("'muster plugin {}' takes no --{}", command, name),
              "see 'muster plugin --help'");
}

/// Those that the command does not know.
void refuse_options(const po::variables_map& values, const std::string& command) {
  const std::map<std::string, std::set<std::string>> known = {
      {"list", {"plugin-dir"}},
      {"check", {"plugin-dir", "set"}},
      {"push", {"coordinator", "keys"}},
      {"allow", {"list"}},
  };
  const auto found = known.find(command);
  for (const char* each : {"plugin-dir", "set", "coordinator", "keys", "list"}) {
    if (found == known.end() || !found->second.contains(each)) refuse_option(values, each, command);
  }
}

// What loads plugins, in processes that can be stopped.
int run_in_pool(const po::variables_map& values, const std::vector<std::string>& words) {
  const Paths directories = parse_plugin_directories(texts(values, "plugin-dir"));
  std::vector<plugin::Setting> settings;
  for (const std::string& each : texts(values, "set")) settings.push_back(parse_setting(each));
  const StopSignals signals;
  try {
    ProcessPoolExecutor pool({.prefetch = 0});
    if (words[0] == "list") return list(directories, pool, signals.token());
    return check(one_argument(words, "check FILE.so"), settings, directories, pool,
                 signals.token());
  } catch (const Error& error) {
    const Ending ending = ending_of(error, signals);
    print_error(ending.error);
    return ending.exit_code;
  }
}

}  // namespace

int plugin_command(const std::vector<std::string>& arguments) {
  const auto values = parse_options(arguments, option_table(), "arguments", "muster plugin");
  const std::vector<std::string> words = texts(values, "arguments");
  if (values.count("help") != 0) {
    fmt::print("{}", usage_text);
    return 0;
  }
  if (words.empty()) {
    say(usage_text);
    return static_cast<int>(ExitCode::usage);
  }
  const std::vector<std::string> known = {"list", "check", "new", "push", "allow"};
  if (std::find(known.begin(), known.end(), words[0]) == known.end())
    throw unknown_command("plugin ", words[0], known, "muster plugin --help");
  refuse_options(values, words[0]);
  if (words[0] == "new") return make_new(one_argument(words, "new NAME"));
  if (words[0] == "push") return push(values, one_argument(words, "push FILE.so"));
  if (words[0] == "allow") return allow(values, one_argument(words, "allow FILE.so|SHA-256"));
  if (words[0] == "list") {
    if (words.size() > 1) throw Error(ErrorCode::usage, "'muster plugin list' takes no argument");
  }
  return run_in_pool(values, words);
}

}  // namespace muster::cli
