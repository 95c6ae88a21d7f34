#include <cstdlib>

#include <muster/base/error.hpp>
#include <muster/cli/own_directory.hpp>

namespace muster::cli {

std::filesystem::path own_directory(const char* variable, const char* below_home) {
  const char* const given = std::getenv(variable);  // NOLINT: nobody sets it meanwhile
  if (given != nullptr && *given == '/') return std::filesystem::path(given) / "muster";
  const char* const home = std::getenv("HOME");  // NOLINT: as above
  if (home == nullptr || *home == '\0') {
    throw Error(ErrorCode::usage, "there is no HOME to keep files in", "name a directory");
  }
  return std::filesystem::path(home) / below_home / "muster";
}

}  // namespace muster::cli
