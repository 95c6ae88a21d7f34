#pragma once

#include <string>
#include <vector>

namespace muster::cli {

/// The subcommands of `muster`. Each takes the arguments behind its name and returns the exit
/// code; errors that come before a job view exists are thrown as Error.
int run_command(const std::vector<std::string>& arguments);
int plugin_command(const std::vector<std::string>& arguments);
int keys_command(const std::vector<std::string>& arguments);
int submit_command(const std::vector<std::string>& arguments);
/// jobs, status, cancel, logs, workers, drain and doctor: what a coordinator is asked.
int ask_command(const std::string& command, const std::vector<std::string>& arguments);
int cluster_command(const std::vector<std::string>& arguments);

/// The programs muster-coordinator and muster-worker.
int coordinator_main(const std::vector<std::string>& arguments);
int worker_main(const std::vector<std::string>& arguments);

/// The whole program muster: picks the subcommand, prints errors. init() has been called.
int muster_main(const std::vector<std::string>& arguments);

}  // namespace muster::cli
