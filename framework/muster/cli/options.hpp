#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <boost/program_options.hpp>

#include <muster/base/error.hpp>
#include <muster/plugin/plugin_info.hpp>

namespace muster::cli {

/// Parses the arguments of one subcommand. `positional` names the option that takes what is not an
/// option. Throws Error(usage): an unknown option (with the closest one), a missing value, and so
/// on; `command` is for the hint that says where help is.
boost::program_options::variables_map parse_options(
    const std::vector<std::string>& arguments,
    const boost::program_options::options_description& options, const char* positional,
    std::string_view command);

/// Error(usage) for a command that is none of those known; its hint is the closest one, or `help`.
/// `prefix` is what stands before the command, such as "plugin ".
Error unknown_command(std::string_view prefix, std::string_view command,
                      const std::vector<std::string>& known, std::string_view help);

/// $MUSTER_COORDINATOR, or the address that a coordinator has by default.
std::string default_coordinator();

/// Parses a count from 1 on. Throws Error(usage) that names the option.
std::uint32_t parse_count(const std::string& text, std::string_view option);

/// The directories of --plugin-dir. Throws Error(usage) for one that does not exist.
std::vector<std::filesystem::path> parse_plugin_directories(const std::vector<std::string>& given);

/// Parses the "name=value" of --set. Throws Error(usage).
plugin::Setting parse_setting(const std::string& text);

}  // namespace muster::cli
