#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include <muster/executors/process_pool.hpp>
#include <muster/plugin/plugin_info.hpp>

namespace muster::cli {

enum class CheckOutcome { passed, failed, skipped };

/// What one run of the contract check found.
struct CheckResult {
  std::string task;
  std::string what;  ///< such as "same result with other chunks"
  CheckOutcome outcome = CheckOutcome::failed;
  std::string detail;  ///< why not
};

/// Runs tasks of a plugin over random text, several times: the result must be the same again, with
/// other chunk sizes and with other numbers of partitions; that holds only if the task is
/// deterministic, and its combine or reduce associative and commutative.
/// Each task gets the settings that it declares. One that gets none and refuses its defaults is
/// skipped. Throws Error(usage) for a setting that no task declares or that its task refuses.
std::vector<CheckResult> check_tasks(const std::filesystem::path& file,
                                     const std::vector<plugin::TaskInfo>& tasks,
                                     const std::vector<plugin::Setting>& settings,
                                     ProcessPoolExecutor& pool, const std::stop_token& stop);

}  // namespace muster::cli
