#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include <sched.h>

#include <muster/base/cpu_count.hpp>

namespace muster {
namespace {

std::optional<double> v2_limit(const std::filesystem::path& group) {
  std::ifstream in(group / "cpu.max");
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || period <= 0) return std::nullopt;
  std::istringstream number(quota);
  double value = 0;
  if (!(number >> value) || value <= 0) return std::nullopt;
  return value / period;
}

std::optional<double> v1_limit(const std::filesystem::path& group) {
  std::ifstream quota_in(group / "cpu.cfs_quota_us");
  std::ifstream period_in(group / "cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  if (!(quota_in >> quota) || !(period_in >> period) || quota <= 0 || period <= 0) {
    return std::nullopt;
  }
  return quota / period;
}

// The lowest limit from `group` up to and including `root`.
template <class Limit>
std::optional<double> lowest(const std::filesystem::path& root, std::filesystem::path group,
                             Limit limit) {
  std::optional<double> low;
  for (;;) {
    if (const auto here = limit(root / group.relative_path())) {
      low = low ? std::min(*low, *here) : *here;
    }
    if (!group.has_relative_path()) return low;
    group = group.parent_path();
  }
}

bool lists_cpu(const std::string& controllers) {
  std::istringstream in(controllers);
  for (std::string name; std::getline(in, name, ',');) {
    if (name == "cpu") return true;
  }
  return false;
}

unsigned affinity_cpus() {
  // More than 1024 CPUs need a larger set than the default; 8192 is what Linux can be built for.
  constexpr int cpus_max = 8192;
  cpu_set_t* set = CPU_ALLOC(cpus_max);
  if (set == nullptr) return 0;
  const std::size_t size = CPU_ALLOC_SIZE(cpus_max);
  unsigned count = 0;
  if (sched_getaffinity(0, size, set) == 0) count = static_cast<unsigned>(CPU_COUNT_S(size, set));
  CPU_FREE(set);
  return count;
}

}  // namespace

unsigned cgroup_cpu_quota(const std::filesystem::path& proc_self,
                          const std::filesystem::path& cgroup_root) {
  std::ifstream in(proc_self / "cgroup");
  std::optional<double> low;
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::filesystem::path group = line.substr(second + 1);
    std::optional<double> here;
    if (controllers.empty()) {
      here = lowest(cgroup_root, group, v2_limit);
    } else if (lists_cpu(controllers)) {
      here = lowest(cgroup_root / "cpu", group, v1_limit);
      if (!here) here = lowest(cgroup_root / controllers, group, v1_limit);
    }
    if (here) low = low ? std::min(*low, *here) : *here;
  }
  return low ? static_cast<unsigned>(std::max(1.0, std::ceil(*low))) : 0;
}

unsigned usable_cpus() {
  unsigned count = affinity_cpus();
  if (count == 0) count = std::thread::hardware_concurrency();
  const unsigned quota = cgroup_cpu_quota("/proc/self", "/sys/fs/cgroup");
  if (quota != 0) count = std::min(count, quota);
  return std::max(count, 1U);
}

}  // namespace muster
