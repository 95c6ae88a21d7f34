#include <algorithm>
#include <fstream>
#include <string>

#include <unistd.h>

#include <muster/base/memory.hpp>

namespace muster {
namespace {

// Lowers `low` by the limit found in any group from `group` up to `root`; "max" and absent files
// are no limit, and v1 writes a number near 2^63 for none, which never lowers anything.
void lower_by(std::uint64_t& low, const std::filesystem::path& root, std::filesystem::path group,
              const char* file) {
  for (;;) {
    std::ifstream in(root / group.relative_path() / file);
    std::uint64_t limit = 0;
    if (in >> limit && limit != 0 && limit < (std::uint64_t{1} << 62U)) {
      low = low == 0 ? limit : std::min(low, limit);
    }
    if (!group.has_relative_path()) return;
    group = group.parent_path();
  }
}

}  // namespace

std::uint64_t cgroup_memory_limit(const std::filesystem::path& proc_self,
                                  const std::filesystem::path& cgroup_root) {
  std::ifstream in(proc_self / "cgroup");
  std::uint64_t low = 0;
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::filesystem::path group = line.substr(second + 1);
    if (controllers.empty()) lower_by(low, cgroup_root, group, "memory.max");
    if (controllers == "memory") {
      lower_by(low, cgroup_root / "memory", group, "memory.limit_in_bytes");
    }
  }
  return low;
}

std::uint64_t usable_memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_bytes = ::sysconf(_SC_PAGESIZE);
  std::uint64_t bytes = std::uint64_t{1} << 30U;
  if (pages > 0 && page_bytes > 0) {
    bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
  }
  const std::uint64_t limit = cgroup_memory_limit("/proc/self", "/sys/fs/cgroup");
  return limit == 0 ? bytes : std::min(bytes, limit);
}

}  // namespace muster
