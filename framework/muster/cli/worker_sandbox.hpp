#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include <muster/sandbox/sandbox_rules.hpp>

namespace muster::cli {

/// The options of the sandbox that workers put task processes into: of muster-worker itself, and of
/// what starts workers.
void add_sandbox_options(boost::program_options::options_description& options);

/// Those options as they were given, for a worker of any directory. Throws Error(usage) of a mode
/// that there is not.
std::vector<std::string> sandbox_arguments(const boost::program_options::variables_map& values);

/// What came of the options of a worker.
struct WorkerSandbox {
  std::optional<sandbox::SandboxRules> rules;  ///< none: --sandbox off
  std::string text = "off";                    ///< in a few words, for people
};

/// Finds out what works here, and says it in a line. The values are those of muster-worker. Throws
/// Error(usage) if more is asked for than works, or what cannot be.
WorkerSandbox start_worker_sandbox(const boost::program_options::variables_map& values,
                                   const std::function<void(const std::string& line)>& log);

}  // namespace muster::cli
