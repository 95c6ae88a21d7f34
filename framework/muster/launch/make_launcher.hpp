#pragma once

#include <memory>

#include <muster/launch/cluster_directory.hpp>
#include <muster/launch/cluster_spec.hpp>
#include <muster/launch/launcher.hpp>

namespace muster::launch {

/// The launcher that the spec asks for.
std::unique_ptr<Launcher> make_launcher(const ClusterSpec& spec, const ClusterDirectory& directory);

}  // namespace muster::launch
