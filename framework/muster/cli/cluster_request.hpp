#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/launch/cluster_spec.hpp>

namespace muster::cli {

/// The arguments of `muster cluster`, read.
struct ClusterRequest {
  std::string command;  ///< empty: none was given; help is printed
  launch::ClusterSpec spec;
  std::vector<std::string> names;  ///< that stand behind the command
  Duration grace = Duration::zero();
};

/// Throws Error(usage). Whether what they name is there is not looked at, but host files are read.
ClusterRequest read_cluster_request(const std::vector<std::string>& arguments);

/// The text of `muster cluster --help`.
std::string cluster_help();

}  // namespace muster::cli
