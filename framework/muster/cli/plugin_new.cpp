#include <map>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/cli/plugin_new.hpp>

namespace muster::cli {

const std::map<std::string, std::string_view>& plugin_template();  // generated

namespace {

namespace fs = std::filesystem;

// Names of targets that CMake makes itself, of a type the template uses, and C++ keywords; each
// between blanks.
constexpr std::string_view taken_names =
    " all clean depend edit_cache help install list_install_components package rebuild_cache test"
    " muster results auto bool break case catch char class const continue default delete do double"
    " else enum explicit export extern false float for friend goto if inline int long mutable"
    " namespace new operator private protected public register return short signed sizeof static"
    " struct switch template this throw true try typedef union unsigned using virtual void volatile"
    " while ";

void check_name(const std::string& name) {
  constexpr std::size_t name_bytes_max = 64;
  bool good = !name.empty() && name.size() <= name_bytes_max && name[0] >= 'a' && name[0] <= 'z';
  for (const char c : name) {
    good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
  }
  if (!good) {
    throw Error(ErrorCode::usage, fmt::format("'{}' cannot be a plugin's name", name),
                "use a-z, 0-9 and _, starting with a letter, at most 64 of them");
  }
  if (taken_names.find(' ' + name + ' ') != std::string_view::npos) {
    throw Error(ErrorCode::usage, fmt::format("'{}' cannot be a plugin's name", name),
                "it means something to CMake or C++ already");
  }
}

// longest_line -> LongestLine
std::string type_name(const std::string& name) {
  std::string out;
  bool start = true;
  for (const char c : name) {
    if (c != '_') out.push_back(start && c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c);
    start = c == '_';
  }
  return out;
}

std::string filled_in(std::string_view text, const std::string& name) {
  std::string out(text);
  const std::pair<std::string, std::string> values[] = {{"@NAME@", name},
                                                        {"@TYPE@", type_name(name)}};
  for (const auto& [mark, value] : values) {
    for (auto at = out.find(mark); at != std::string::npos; at = out.find(mark, at)) {
      out.replace(at, mark.size(), value);
      at += value.size();
    }
  }
  return out;
}

}  // namespace

void write_plugin_project(const std::string& name, const fs::path& parent) {
  check_name(name);
  const fs::path directory = parent / name;
  std::error_code error;
  if (!fs::create_directory(directory, error)) {
    if (error && !fs::exists(directory))
      throw system_error(error.value(), fmt::format("cannot make '{}'", name));
    throw Error(ErrorCode::usage, fmt::format("'{}' already exists", directory.string()),
                "choose another name, or remove it");
  }
  try {
    for (const auto& [file, text] : plugin_template()) {
      write_file_synced(directory / filled_in(file, name), filled_in(text, name));
    }
  } catch (...) {
    fs::remove_all(directory, error);
    throw;
  }
}

fs::path package_prefix() { return fs::read_symlink("/proc/self/exe").parent_path().parent_path(); }

}  // namespace muster::cli
