#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/sandbox/readable_paths.hpp>

namespace muster::sandbox {
namespace {

namespace fs = std::filesystem;

void add_siblings(const fs::path& directory, const std::vector<fs::path>& hidden,
                  std::vector<fs::path>& out) {
  std::error_code error;
  fs::directory_iterator each(directory, error);
  for (; !error && each != fs::directory_iterator(); each.increment(error)) {
    const fs::path& path = each->path();
    std::error_code gone;  // a name that has just gone is nothing to be read
    if (each->is_symlink(gone)) continue;
    const bool is_hidden = std::any_of(hidden.begin(), hidden.end(), [&](const fs::path& secret) {
      return lies_in(path, secret);
    });
    const bool leads_there = std::any_of(hidden.begin(), hidden.end(), [&](const fs::path& secret) {
      return lies_in(secret, path);
    });
    if (!is_hidden && !leads_there) out.push_back(path);
  }
  if (!error) return;
  throw Error(
      ErrorCode::io,
      fmt::format("'{}' lies on the way to what task processes must not read, and cannot be "
                  "listed: {}",
                  directory.string(), error.message()),
      "keep keys where the worker's user may list every directory on the way, such as "
      "/etc/muster/keys");
}

}  // namespace

bool lies_in(const fs::path& path, const fs::path& directory) {
  const auto [at, end] =
      std::mismatch(directory.begin(), directory.end(), path.begin(), path.end());
  return at == directory.end();
}

std::vector<fs::path> ways_to(const std::vector<fs::path>& hidden) {
  std::vector<fs::path> out;
  for (const fs::path& secret : hidden) {
    fs::path way = "/";
    for (const fs::path& part : secret.relative_path()) {
      const bool is_below_another = std::any_of(
          hidden.begin(), hidden.end(), [&](const fs::path& other) { return lies_in(way, other); });
      if (is_below_another) break;
      if (std::find(out.begin(), out.end(), way) == out.end()) out.push_back(way);
      way /= part;
    }
  }
  return out;
}

std::vector<fs::path> readable_paths(const std::vector<fs::path>& hidden) {
  std::vector<fs::path> out;
  for (const fs::path& way : ways_to(hidden)) add_siblings(way, hidden, out);
  return out;
}

}  // namespace muster::sandbox
