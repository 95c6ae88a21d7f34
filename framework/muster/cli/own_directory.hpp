#pragma once

#include <filesystem>

namespace muster::cli {

/// Where Muster's programs keep files of their own, after the XDG Base Directory Specification:
/// $VARIABLE/muster, or ~/`below_home`/muster. Throws Error(usage) if there is no HOME.
std::filesystem::path own_directory(const char* variable, const char* below_home);

}  // namespace muster::cli
