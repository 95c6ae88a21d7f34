#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/cli/worker_sandbox.hpp>
#include <muster/cluster/security/key_files.hpp>
#include <muster/sandbox/start_sandbox.hpp>

namespace muster::cli {
namespace po = boost::program_options;
namespace {

constexpr const char* mode_option = "sandbox";
constexpr const char* write_option = "sandbox-write";
constexpr const char* hide_option = "sandbox-hide";

std::vector<std::string> texts_of(const po::variables_map& values, const char* option) {
  return values.count(option) != 0 ? values[option].as<std::vector<std::string>>()
                                   : std::vector<std::string>();
}

std::vector<std::filesystem::path> paths_of(const po::variables_map& values, const char* option) {
  std::vector<std::filesystem::path> out;
  for (const std::string& each : texts_of(values, option)) {
    std::error_code error;
    out.push_back(std::filesystem::canonical(each, error));
    if (!error) continue;
    throw Error(ErrorCode::usage, fmt::format("--{} '{}': {}", option, each, error.message()),
                "name what is there");
  }
  return out;
}

}  // namespace

void add_sandbox_options(po::options_description& options) {
  const auto paths = [] { return po::value<std::vector<std::string>>()->composing(); };
  auto add = options.add_options();
  add(mode_option, po::value<std::string>()->value_name("MODE")->default_value("best-effort"),
      "what task processes are kept from (see docs/security.md). off: nothing; best-effort: what "
      "this kernel can enforce, which is in the log; require: all, or the worker does not start");
  add(write_option, paths()->value_name("PATH"),
      "task processes may write below it, too (default: only to $TMPDIR, which is their own, "
      "/dev/shm and the outputs of jobs); may be given several times");
  add(hide_option, paths()->value_name("PATH"),
      "task processes cannot read what is there, as with --keys; may be given several times");
}

std::vector<std::string> sandbox_arguments(const po::variables_map& values) {
  std::vector<std::string> out;
  const auto mode = values[mode_option].as<std::string>();
  static_cast<void>(sandbox::parse_sandbox_mode(mode));
  if (!values[mode_option].defaulted()) out.insert(out.end(), {"--sandbox", mode});
  for (const char* const option : {write_option, hide_option}) {
    for (const std::string& each : texts_of(values, option))
      out.insert(out.end(), {fmt::format("--{}", option),
                             std::filesystem::absolute(each).lexically_normal().string()});
  }
  return out;
}

WorkerSandbox start_worker_sandbox(const po::variables_map& values,
                                   const std::function<void(const std::string& line)>& log) {
  const auto mode = sandbox::parse_sandbox_mode(values[mode_option].as<std::string>());
  if (mode == sandbox::SandboxMode::off) {
    log("sandbox: off; tasks may do all that this worker may");
    return {};
  }
  sandbox::SandboxRules rules;
  rules.hidden = paths_of(values, hide_option);
  rules.writable = paths_of(values, write_option);
  if (values.count("keys") != 0) {
    for (auto& each : cluster::secret_paths(values["keys"].as<std::string>()))
      rules.hidden.push_back(std::move(each));
  }
  const sandbox::StartedSandbox started = sandbox::start_sandbox(mode, std::move(rules));
  std::string line = sandbox::describe(started);
  if (::geteuid() == 0) line += "; tasks run as root, like this worker";
  log(line);
  return {started.rules, sandbox::describe(started.support)};
}

}  // namespace muster::cli
