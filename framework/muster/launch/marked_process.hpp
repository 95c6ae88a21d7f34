#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <muster/base/clock.hpp>

namespace muster::launch {

/// The variable that marks what belongs to a cluster: MUSTER_PART=TOKEN/ROLE/NUMBER. It is in the
/// environment of the process and so survives everything that a record could not: it is there from
/// the first moment, it is gone with the process, and no other process that gets the same pid has
/// it. Workers do not hand it on to what they run.
inline constexpr const char* part_variable = "MUSTER_PART";

/// A process of a cluster on this machine.
struct MarkedProcess {
  pid_t pid = 0;
  std::string role;    ///< "worker", "coordinator"
  std::string number;  ///< of its log file
};

/// "MUSTER_PART=token/role/number".
std::string part_mark(const std::string& token, const std::string& role, const std::string& number);

/// Those of a cluster that live, as far as this user may see; in the order of their pids.
std::vector<MarkedProcess> marked_processes(const std::string& token, const std::string& role);

/// Sends a signal, unless the process has gone. It never reaches another one of the same pid.
void signal_marked(const std::string& token, const MarkedProcess& process, int signal);

/// Ends all of a role: SIGTERM, and SIGKILL to those that still live after `grace`. None is left
/// when it returns; throws Error(broken) if one cannot be killed.
void end_marked(const std::string& token, const std::string& role, Duration grace);

}  // namespace muster::launch
