#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/launch/cluster_spec.hpp>
#include <muster/launch/launcher.hpp>

namespace muster::launch {

/// What is done on another machine, as scripts for `sh` there, which reads them from its standard
/// input: so the login shell of the user, whatever it is, sees nothing of them. They need sh, GNU
/// grep, tr, env and setsid. `host` is what the user calls the machine.

/// Starts so many workers. Their logs are below $XDG_STATE_HOME there, as they would be here.
std::string ssh_start_script(const ClusterSpec& spec, const std::string& host, unsigned count);
/// Prints a line for each worker of the cluster: its pid, number and log.
std::string ssh_look_script(const ClusterSpec& spec, const std::string& host);
/// Has the workers of these numbers drain.
std::string ssh_drain_script(const ClusterSpec& spec, const std::string& host,
                             const std::vector<std::string>& numbers);
/// Ends all workers, kills those that take longer than `grace`, removes their logs. Fails if one is
/// left.
std::string ssh_end_script(const ClusterSpec& spec, const std::string& host, Duration grace);

/// What the look script has printed on `host`. Throws Error(broken).
std::vector<Pilot> parse_look(std::string_view printed, const std::string& host);

}  // namespace muster::launch
