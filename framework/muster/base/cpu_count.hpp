#pragma once

#include <filesystem>

namespace muster {

/// The number of CPUs this process may use: the scheduling affinity, lowered by the CPU quota of
/// its control group (v1 and v2, every ancestor counts; a fraction is rounded up). Never 0.
/// Thread-safe; reads /proc and /sys at each call.
unsigned usable_cpus();

/// The quota part alone, under the given roots: what usable_cpus() asks with "/proc/self" and
/// "/sys/fs/cgroup". 0 means no quota. Missing or odd files mean no quota.
unsigned cgroup_cpu_quota(const std::filesystem::path& proc_self,
                          const std::filesystem::path& cgroup_root);

}  // namespace muster
