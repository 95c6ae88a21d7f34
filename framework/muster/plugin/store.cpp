#include <algorithm>
#include <cstdlib>
#include <set>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/suggest.hpp>
#include <muster/plugin/store.hpp>

namespace muster::plugin {
namespace fs = std::filesystem;
namespace {

void add_own_directories(std::vector<fs::path>& out) {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return;
  const fs::path root = program.parent_path().parent_path();
  out.push_back(root / "plugins");             // a build tree: bin/ beside plugins/
  out.push_back(root / "lib/muster/plugins");  // an installation
}

Error not_found(const fs::path& path) {
  std::vector<std::string> near;
  std::error_code error;
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (fs::directory_iterator each(parent, error), end; !error && each != end;
       each.increment(error)) {
    near.push_back(each->path().filename().string());
  }
  std::sort(near.begin(), near.end());
  const auto best = closest(path.filename().string(), near);
  return Error(ErrorCode::usage, fmt::format("plugin '{}' not found", path.string()),
               best ? fmt::format("did you mean '{}'?", (parent / *best).string()) : "");
}

}  // namespace

bool TaskName::is_file() const {
  return plugin.find('/') != std::string::npos || plugin.ends_with(".so");
}

TaskName parse_task_name(std::string_view text) {
  const auto colon = text.rfind(':');
  // A colon inside a directory's name is not a separator.
  if (colon == std::string_view::npos || text.find('/', colon) != std::string_view::npos) {
    return {std::string(text), {}};
  }
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

std::vector<fs::path> plugin_directories(const std::vector<fs::path>& given) {
  std::vector<fs::path> out = given;
  if (const char* named = std::getenv("MUSTER_PLUGIN_PATH"); named != nullptr) {
    std::string_view rest = named;
    while (!rest.empty()) {
      const auto colon = rest.find(':');
      if (colon != 0) out.emplace_back(rest.substr(0, colon));
      if (colon == std::string_view::npos) break;
      rest.remove_prefix(colon + 1);
    }
  }
  add_own_directories(out);
  return out;
}

std::vector<fs::path> plugin_files(const std::vector<fs::path>& directories) {
  std::vector<fs::path> out;
  std::set<std::string> seen;
  for (const fs::path& directory : directories) {
    std::vector<fs::path> here;
    std::error_code error;
    for (fs::directory_iterator each(directory, error), end; !error && each != end;
         each.increment(error)) {
      if (each->path().extension() == ".so") here.push_back(each->path());
    }
    std::sort(here.begin(), here.end());
    for (const fs::path& file : here) {
      if (seen.insert(file.filename().string()).second) out.push_back(file);
    }
  }
  return out;
}

fs::path find_plugin(const TaskName& name, const std::vector<fs::path>& directories) {
  if (name.is_file()) {
    const fs::path path = name.plugin;
    std::error_code error;
    if (!fs::exists(path, error)) throw not_found(path);
    return fs::absolute(path);
  }
  std::vector<std::string> names;
  for (const fs::path& file : plugin_files(directories)) {
    if (file.stem() == name.plugin) return fs::absolute(file);
    names.push_back(file.stem().string());
  }
  throw unknown_name(fmt::format("no plugin is named '{}'", name.plugin), name.plugin, names,
                     directories);
}

Error unknown_name(const std::string& message, const std::string& name,
                   std::vector<std::string> known, const std::vector<fs::path>& directories) {
  std::sort(known.begin(), known.end());
  const auto best = closest(name, known);
  std::string searched;
  for (const fs::path& each : directories) searched += "\n    " + each.string();
  return Error(
      ErrorCode::usage, message,
      best ? fmt::format("did you mean '{}'? 'muster plugin list' shows all", *best)
           : "plugins were looked for in (--plugin-dir and $MUSTER_PLUGIN_PATH name more):" +
                 searched);
}

}  // namespace muster::plugin
