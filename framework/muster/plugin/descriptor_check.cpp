#include <string_view>

#include <fmt/format.h>

#include <muster/plugin/descriptor_check.hpp>

namespace muster::plugin {
namespace {

std::string task_defect(const muster_task& task) {
  const std::string_view name = task.name == nullptr ? "" : task.name;
  if (name.empty()) return "a task has no name";
  const auto says = [&](std::string_view what) { return fmt::format("task '{}' {}", name, what); };
  if (task.kind != MUSTER_TASK_MAP_REDUCE && task.kind != MUSTER_TASK_MAP) {
    return says(fmt::format("is of the unknown kind {}", task.kind));
  }
  if (task.records != MUSTER_RECORDS_LINES && task.records != MUSTER_RECORDS_WORDS) {
    return says(fmt::format("reads records of the unknown format {}", task.records));
  }
  if (task.create == nullptr || task.destroy == nullptr || task.map == nullptr ||
      (task.kind == MUSTER_TASK_MAP_REDUCE && task.reduce == nullptr)) {
    return says("lacks one of its functions");
  }
  if (task.parameter_count != 0 && task.parameters == nullptr) return says("lacks its parameters");
  for (std::uint64_t i = 0; i < task.parameter_count; ++i) {
    const char* parameter = task.parameters[i].name;
    if (parameter == nullptr || *parameter == '\0') return says("has a parameter without a name");
  }
  return {};
}

}  // namespace

std::string defect_of(const muster_plugin_descriptor& descriptor) {
  if (descriptor.name == nullptr || *descriptor.name == '\0') return "it has no name";
  if (descriptor.task_count == 0 || descriptor.tasks == nullptr) return "it has no tasks";
  for (std::uint64_t i = 0; i < descriptor.task_count; ++i) {
    std::string defect = task_defect(descriptor.tasks[i]);
    if (!defect.empty()) return defect;
    for (std::uint64_t before = 0; before < i; ++before) {
      if (std::string_view(descriptor.tasks[before].name) == descriptor.tasks[i].name) {
        return fmt::format("it has two tasks named '{}'", descriptor.tasks[i].name);
      }
    }
  }
  return {};
}

}  // namespace muster::plugin
