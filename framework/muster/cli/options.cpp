#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/suggest.hpp>
#include <muster/cli/options.hpp>

namespace muster::cli {
namespace po = boost::program_options;

po::variables_map parse_options(const std::vector<std::string>& arguments,
                                const po::options_description& options, const char* positional,
                                std::string_view command) {
  po::positional_options_description rest;
  rest.add(positional, -1);
  po::variables_map values;
  try {
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(
        po::command_line_parser(arguments).options(options).positional(rest).style(style).run(),
        values);
    po::notify(values);
  } catch (const po::unknown_option& error) {
    std::vector<std::string> known;
    for (const auto& each : options.options()) {
      if (each->long_name() != positional) known.push_back("--" + each->long_name());
    }
    const auto near = closest(error.get_option_name(), known);
    throw Error(ErrorCode::usage, fmt::format("no option '{}'", error.get_option_name()),
                near ? fmt::format("did you mean '{}'?", *near)
                     : fmt::format("'{} --help' lists the options", command));
  } catch (const po::error& error) {
    throw Error(ErrorCode::usage, error.what(), fmt::format("'{} --help' explains", command));
  }
  return values;
}

Error unknown_command(std::string_view prefix, std::string_view command,
                      const std::vector<std::string>& known, std::string_view help) {
  const auto near = closest(command, known);
  return Error(ErrorCode::usage, fmt::format("no command '{}{}'", prefix, command),
               near ? fmt::format("did you mean 'muster {}{}'?", prefix, *near)
                    : fmt::format("see '{}'", help));
}

std::string default_coordinator() {
  const char* const given = std::getenv("MUSTER_COORDINATOR");  // NOLINT: nobody sets it meanwhile
  return given != nullptr && *given != '\0' ? given : "tcp://127.0.0.1:7600";
}

std::uint32_t parse_count(const std::string& text, std::string_view option) {
  std::uint32_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || value == 0) {
    throw Error(ErrorCode::usage, fmt::format("{}: '{}' is not a number from 1 on", option, text));
  }
  return value;
}

std::vector<std::filesystem::path> parse_plugin_directories(const std::vector<std::string>& given) {
  for (const std::string& each : given) {
    std::error_code error;
    if (std::filesystem::is_directory(each, error)) continue;
    throw Error(ErrorCode::usage, fmt::format("--plugin-dir: '{}' is no directory", each),
                "name one that holds plugins, that is NAME.so files");
  }
  return {given.begin(), given.end()};
}

plugin::Setting parse_setting(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) {
    throw Error(ErrorCode::usage, fmt::format("--set '{}' is not of the form name=value", text));
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace muster::cli
