#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

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

// The number behind a name, in a file of lines "name number"; 0 if there is none.
std::uint64_t number_in(const std::filesystem::path& file, const std::string& wanted) {
  std::ifstream in(file);
  std::string name;
  std::uint64_t number = 0;
  while (in >> name >> number) {
    if (name == wanted) return number;
  }
  return 0;
}

struct MemoryGroup {
  bool is_v2;
  std::filesystem::path path;  // from the root of the hierarchy
};

// The control groups that account for this process's memory.
std::vector<MemoryGroup> memory_groups(const std::filesystem::path& proc_self) {
  std::ifstream in(proc_self / "cgroup");
  std::vector<MemoryGroup> out;
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers != "memory") continue;
    out.push_back({controllers.empty(), line.substr(second + 1)});
  }
  return out;
}

}  // namespace

std::uint64_t cgroup_memory_limit(const std::filesystem::path& proc_self,
                                  const std::filesystem::path& cgroup_root) {
  std::uint64_t low = 0;
  for (const MemoryGroup& group : memory_groups(proc_self)) {
    if (group.is_v2) {
      lower_by(low, cgroup_root, group.path, "memory.max");
    } else {
      lower_by(low, cgroup_root / "memory", group.path, "memory.limit_in_bytes");
    }
  }
  return low;
}

std::uint64_t cgroup_memory_kills(const std::filesystem::path& proc_self,
                                  const std::filesystem::path& cgroup_root) {
  std::uint64_t count = 0;
  for (const MemoryGroup& group : memory_groups(proc_self)) {
    const std::filesystem::path below = group.path.relative_path();
    count += group.is_v2
                 ? number_in(cgroup_root / below / "memory.events", "oom_kill")
                 : number_in(cgroup_root / "memory" / below / "memory.oom_control", "oom_kill");
  }
  return count;
}

std::uint64_t memory_kill_count() { return cgroup_memory_kills("/proc/self", "/sys/fs/cgroup"); }

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
