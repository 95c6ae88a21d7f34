
#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/version.hpp>
#include <muster/cli/commands.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/options.hpp>
#include <muster/cli/streams.hpp>

namespace muster::cli {
namespace {

constexpr const char* usage_text =
    R"(Usage: muster COMMAND ...

  muster run TASK FILE...      run a map-reduce job over files; on this machine, or on a cluster
  muster submit TASK FILE...   hand a job to a cluster and go: prints its number
  muster jobs                  the jobs of a cluster; status JOB, logs JOB, cancel JOB
  muster workers               its workers; drain WORKER
  muster doctor                is the cluster well?
  muster plugin list           what tasks there are
  muster plugin check FILE.so  is it a sound plugin?
  muster plugin new NAME       start a plugin of your own
  muster keys init             make keys for a cluster; authorize, list and revoke them
  muster cluster up            start workers here, with Slurm or over ssh; down and status
  muster version               print the version

'muster run --help', and the same of plugin, keys and cluster, say more.
Example: muster run wordcount --set case=lower README.md | sort -k2,2nr | head
)";

int dispatch(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    say(usage_text);
    return static_cast<int>(ExitCode::usage);
  }
  const std::string& command = arguments.front();
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (command == "run") return run_command(rest);
  if (command == "plugin") return plugin_command(rest);
  if (command == "keys") return keys_command(rest);
  if (command == "submit") return submit_command(rest);
  for (const char* each : {"jobs", "status", "cancel", "logs", "workers", "drain", "doctor"}) {
    if (command == each) return ask_command(command, rest);
  }
  if (command == "cluster") return cluster_command(rest);
  if (command == "version" || command == "--version") {
    fmt::print("muster {}\n", version_text);
    return 0;
  }
  if (command == "help" || command == "--help" || command == "-h") {
    fmt::print("{}", usage_text);
    return 0;
  }
  throw unknown_command("", command,
                        {"run", "submit", "jobs", "status", "cancel", "logs", "workers", "drain",
                         "doctor", "plugin", "keys", "cluster", "version", "help"},
                        "muster help");
}

}  // namespace

int muster_main(const std::vector<std::string>& arguments) {
  try {
    const int code = dispatch(arguments);
    flush_stdout();
    return code;
  } catch (const Error& error) {
    print_error(error);
    return static_cast<int>(exit_code_of(error.code()));
  } catch (const std::exception& error) {
    say(fmt::format("error: {}\n", error.what()));
    return static_cast<int>(ExitCode::job_failed);
  }
}

}  // namespace muster::cli
