#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include <muster/executors/process_pool.hpp>
#include <muster/plugin/plugin_info.hpp>

namespace muster::cli {

/// What one run of the contract check found.
struct CheckResult {
  std::string task;
  std::string what;  ///< such as "same result with other chunks"
  bool passed = false;
  std::string detail;  ///< why not
};

/// Runs every task of a plugin over random text, several times: the result must be the same again,
/// with other chunk sizes and with other numbers of partitions; that holds only if the task is
/// deterministic, and its combine or reduce associative and commutative.
/// A task that refuses its default settings is reported as not checked, in `detail`, and passes.
/// Throws Error(plugin) if the plugin cannot be loaded.
std::vector<CheckResult> check_plugin(const std::filesystem::path& file,
                                      const plugin::PluginInfo& info,
                                      const std::vector<plugin::Setting>& settings,
                                      ProcessPoolExecutor& pool, const std::stop_token& stop);

}  // namespace muster::cli
