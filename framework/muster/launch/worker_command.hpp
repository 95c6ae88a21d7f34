#pragma once

#include <optional>
#include <string>
#include <vector>

#include <muster/base/clock.hpp>

namespace muster::launch {

/// How workers are started, whatever starts them.
struct WorkerCommand {
  std::string program = "muster-worker";
  std::string coordinator;                ///< its address
  std::string keys;                       ///< directory or key file; empty: none
  std::optional<unsigned> slots;          ///< none: as many as the worker finds CPUs
  std::optional<Duration> lifetime;       ///< none: no end
  std::vector<std::string> environment;   ///< "NAME=VALUE" for the programs that it runs
  std::vector<std::string> sandbox = {};  ///< options of its sandbox, with their values

  /// The program and its options; without a name: a worker makes one of its host and pid.
  std::vector<std::string> arguments() const;

  bool operator==(const WorkerCommand&) const = default;
};

}  // namespace muster::launch
