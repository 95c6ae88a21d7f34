#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/cli/commands.hpp>
#include <muster/cli/options.hpp>
#include <muster/cluster/security/authorized_keys.hpp>
#include <muster/cluster/security/key_files.hpp>

namespace muster::cli {
namespace po = boost::program_options;
namespace {

constexpr const char* keys_usage =
    R"(Usage: muster keys COMMAND ... [--keys DIR]

  muster keys init [NAME]            make NAME.key and NAME.pub; NAME is coordinator, worker or
                                     client, or a name of your own (default: coordinator)
  muster keys authorize FILE.pub --role worker|client [--name NAME]
                                     let the owner of that key in (on the coordinator)
  muster keys list                   who is let in
  muster keys revoke NAME            not any more; who is connected is put out within a second

DIR is where the keys are (default: ./keys). Secret keys stay on the machine that they are made on;
only .pub files are copied. A worker or client needs its .key and the coordinator's coordinator.pub.
)";

struct KeysOptions {
  std::string command;
  std::vector<std::string> rest;
  std::filesystem::path directory;
  std::string name;
  std::string role;
};

KeysOptions read_keys_options(const std::vector<std::string>& arguments) {
  po::options_description options("Options");
  auto add = options.add_options();
  add("keys", po::value<std::string>()->default_value("keys"));
  add("name", po::value<std::string>()->default_value(""));
  add("role", po::value<std::string>()->default_value(""));
  add("help,h", "");
  add("arguments", po::value<std::vector<std::string>>());
  const auto values = parse_options(arguments, options, "arguments", "muster keys");
  KeysOptions out;
  if (values.count("arguments") != 0) out.rest = values["arguments"].as<std::vector<std::string>>();
  if (out.rest.empty() || values.count("help") != 0) return out;
  out.command = out.rest.front();
  out.rest.erase(out.rest.begin());
  out.directory = values["keys"].as<std::string>();
  out.name = values["name"].as<std::string>();
  out.role = values["role"].as<std::string>();
  return out;
}

/// The one argument behind a command.
const std::string& only_argument(const KeysOptions& options, const char* what) {
  if (options.rest.size() == 1) return options.rest.front();
  throw Error(ErrorCode::usage, fmt::format("'muster keys {}' takes {}", options.command, what),
              "'muster keys --help' explains");
}

void init_keys(const KeysOptions& options) {
  const std::string name = options.rest.empty() ? "coordinator" : only_argument(options, "a name");
  cluster::make_key_files(options.directory, name);
  fmt::print("made {0}/{1}.key and {0}/{1}.pub\n", options.directory.string(), name);
}

/// Who is let in is kept, and looked up, where the coordinator's key is.
void require_coordinator_key(const KeysOptions& options) {
  if (std::filesystem::exists(options.directory / "coordinator.key")) return;
  throw Error(ErrorCode::usage,
              fmt::format("there is no coordinator.key in '{}': 'muster keys {}' is for the "
                          "coordinator's machine",
                          options.directory.string(), options.command),
              "name its directory with --keys DIR; 'muster keys init' makes a coordinator's keys");
}

void authorize_key(const KeysOptions& options) {
  require_coordinator_key(options);
  const std::filesystem::path file = only_argument(options, "a .pub file");
  if (options.role.empty()) {
    throw Error(ErrorCode::usage, "what may the owner of this key be?",
                "add --role worker or --role client");
  }
  const cluster::AuthorizedKeys::Entry entry{
      cluster::parse_role(options.role), options.name.empty() ? file.stem().string() : options.name,
      cluster::read_public_key(file)};
  cluster::AuthorizedKeys(options.directory).add(entry);
  fmt::print("{} '{}' may come in\n", options.role, entry.name);
}

void list_keys(const KeysOptions& options) {
  if (!options.rest.empty()) {
    throw Error(ErrorCode::usage, fmt::format("what is '{}'?", options.rest.front()),
                "'muster keys list' takes no name");
  }
  require_coordinator_key(options);
  for (const auto& each : cluster::AuthorizedKeys(options.directory).list()) {
    fmt::print("{:<7} {:<20} {}\n", cluster::to_string(each.role), each.name, each.public_key);
  }
}

void revoke_key(const KeysOptions& options) {
  const std::string& name = only_argument(options, "a name");
  require_coordinator_key(options);
  cluster::AuthorizedKeys(options.directory).revoke(name);
  fmt::print("'{}' may not come in any more\n", name);
}

}  // namespace

int keys_command(const std::vector<std::string>& arguments) {
  const KeysOptions options = read_keys_options(arguments);
  if (options.command.empty() || options.command == "help") {
    fmt::print("{}", keys_usage);
    return 0;
  }
  if (options.command == "init") {
    init_keys(options);
  } else if (options.command == "authorize") {
    authorize_key(options);
  } else if (options.command == "list") {
    list_keys(options);
  } else if (options.command == "revoke") {
    revoke_key(options);
  } else {
    throw unknown_command("keys ", options.command, {"init", "authorize", "list", "revoke"},
                          "muster keys --help");
  }
  return 0;
}

}  // namespace muster::cli
