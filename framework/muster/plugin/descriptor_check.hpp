#pragma once

#include <string>

#include <muster/plugin/abi.h>

namespace muster::plugin {

/// What is wrong with a descriptor of this ABI version, empty if nothing is: names, kinds and
/// functions that are missing or unknown, two tasks of one name. MUSTER_PLUGIN gets all of this
/// right; a descriptor that was filled in by hand may not. Thread-safe.
std::string defect_of(const muster_plugin_descriptor& descriptor);

}  // namespace muster::plugin
