#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/error.hpp>

namespace muster::plugin {

/// What a user wrote to name a task: "wordcount", "text:wordcount" or "./text.so:wordcount".
struct TaskName {
  std::string plugin;  ///< a file (it has a '/' or ends in ".so"), or a plugin's name
  std::string task;    ///< empty: the plugin's task of the same name, or its only one

  bool is_file() const;
};

TaskName parse_task_name(std::string_view text);

/// Where plugins are looked for, in order: `given`, $MUSTER_PLUGIN_PATH (colon-separated), the
/// build tree's or the installation's own directory, found from the running program's path.
std::vector<std::filesystem::path> plugin_directories(
    const std::vector<std::filesystem::path>& given);

/// All "*.so" files in the directories, sorted by name within each; a name found earlier hides
/// later ones. Directories that do not exist are passed over.
std::vector<std::filesystem::path> plugin_files(
    const std::vector<std::filesystem::path>& directories);

/// The file of the plugin that `name` names: by its file or its name, not by a task's. Throws
/// Error(usage) with the closest name, or the directories searched.
std::filesystem::path find_plugin(const TaskName& name,
                                  const std::vector<std::filesystem::path>& directories);

/// An Error(usage) for a name that is none of `known`; the hint is the closest of them, or the
/// directories searched.
Error unknown_name(const std::string& message, const std::string& name,
                   std::vector<std::string> known,
                   const std::vector<std::filesystem::path>& directories);

}  // namespace muster::plugin
