#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <muster/plugin/abi.h>
#include <muster/plugin/plugin_info.hpp>

namespace muster::plugin {

/// A plugin in this process. Only task processes load plugins: loading runs code of theirs.
///
/// A shared object is never unloaded, so pointers into it stay good. Loading the same path again
/// gives the same object. Not thread-safe: a task process has one thread.
class LoadedPlugin {
 public:
  /// Throws Error(plugin): not a shared object, no entry point, another ABI (every difference is
  /// listed), or writable by others (see check_trusted).
  static const LoadedPlugin& load(const std::filesystem::path& path);

  const PluginInfo& info() const noexcept { return info_; }
  /// Throws Error(usage) and lists the plugin's tasks when there is none of that name.
  const muster_task& task(std::string_view name) const;

 private:
  explicit LoadedPlugin(const muster_plugin_descriptor& descriptor);

  PluginInfo info_;
  const muster_plugin_descriptor* descriptor_;
};

/// Code that others could have replaced is not run: the file must belong to this user or root and
/// be writable by nobody else (a group that is the owner's private one is accepted).
/// Throws Error(plugin) with the chmod that mends it, Error(usage) if there is no such file.
void check_trusted(const std::filesystem::path& path);

/// Owns one instance of a task, made with the given settings.
class TaskInstance {
 public:
  /// Throws Error(usage or task) with what the task reported.
  TaskInstance(const muster_task& task, const std::vector<Setting>& settings);
  ~TaskInstance();
  TaskInstance(const TaskInstance&) = delete;
  TaskInstance& operator=(const TaskInstance&) = delete;

  /// Both throw what the task reported, as Error(task, usage or limit). MUSTER_HOST_FAILED is
  /// returned as false: the host knows its own failure.
  bool map(const muster_map_host& host, muster_counts& counts);
  bool reduce(const muster_reduce_host& host, muster_counts& counts);

 private:
  const muster_task& task_;
  void* instance_ = nullptr;
};

}  // namespace muster::plugin
