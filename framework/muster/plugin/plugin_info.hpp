#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/bytes.hpp>

namespace muster::plugin {

enum class TaskKind : std::uint8_t { map_reduce = 1, map = 2 };
enum class RecordFormat : std::uint8_t { lines = 1, words = 2 };

/// A parameter of a task, set by `--set name=value`.
struct ParameterInfo {
  std::string name;
  std::string default_value;
  std::string choices;  ///< "a|b|c", or empty for any text
  std::string help;
};

/// What a plugin says of one of its tasks.
struct TaskInfo {
  std::string name;
  std::string summary;
  TaskKind kind = TaskKind::map_reduce;
  RecordFormat records = RecordFormat::lines;
  bool line_numbers = false;
  std::vector<ParameterInfo> parameters;
};

/// What a plugin says of itself. Read in a task process, because loading runs the plugin's code;
/// it travels to the main process as bytes.
struct PluginInfo {
  std::string name;
  std::string version;
  std::string sdk_version;
  std::string compiler;
  std::uint32_t abi_version = 0;
  std::vector<TaskInfo> tasks;

  const TaskInfo* find(std::string_view task) const;
};

Bytes encode(const PluginInfo& info);
PluginInfo decode_plugin_info(std::string_view bytes);  ///< throws Error(corrupt)

/// A name and value given by the user for one run.
struct Setting {
  std::string name;
  std::string value;
};

/// Checks the settings against what the task knows and fills in the defaults, in the task's
/// order. Throws Error(usage): an unknown name (lists the known ones), a value outside the
/// choices, a name given twice.
std::vector<Setting> resolve_settings(const TaskInfo& task, const std::vector<Setting>& given);

}  // namespace muster::plugin
