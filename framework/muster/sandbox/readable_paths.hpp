#pragma once

#include <filesystem>
#include <vector>

namespace muster::sandbox {

/// Whether `path` is `directory` or lies below it. Both absolute and normal.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& directory);

/// Files and directories that together are everything but what is hidden: on the way from the root
/// to each hidden path whatever lies beside it. No symbolic links: what they lead to is in there by
/// its own name, or hidden. Empty if nothing is hidden. `hidden` has canonical paths. Throws
/// Error(io) of a directory on the way that cannot be listed.
std::vector<std::filesystem::path> readable_paths(const std::vector<std::filesystem::path>& hidden);

/// The directories on those ways: what comes to lie right in them later is in no list.
std::vector<std::filesystem::path> ways_to(const std::vector<std::filesystem::path>& hidden);

}  // namespace muster::sandbox
