#pragma once

#include <filesystem>
#include <string>

namespace muster::cli {

/// Writes a plugin project (CMakeLists.txt, source, test, sample input) named `name` into a new
/// directory below `parent`. It builds, tests and runs as it is.
/// Throws Error(usage): `name` is not a lower-case identifier of at most 64 characters, or the
/// directory exists; Error(io or no_space): then nothing is left behind.
void write_plugin_project(const std::string& name, const std::filesystem::path& parent);

/// The CMake prefix under which this program's package is found: the installation's, or the build
/// tree's.
std::filesystem::path package_prefix();

}  // namespace muster::cli
