#pragma once

#include <cstdint>
#include <filesystem>

namespace muster {

/// The memory this process may use, in bytes: the machine's, lowered by the limit of its control
/// group (v1 and v2). Never 0. Thread-safe; reads /proc and /sys at each call.
std::uint64_t usable_memory();

/// The limit part alone, under the given root of the control groups and /proc/self; 0: no limit.
std::uint64_t cgroup_memory_limit(const std::filesystem::path& proc_self,
                                  const std::filesystem::path& cgroup_root);

/// How many processes the kernel has killed in this process's control group because that was over
/// its memory limit. 0 where that is not told.
std::uint64_t memory_kill_count();

/// The same, under the given root of the control groups and /proc/self.
std::uint64_t cgroup_memory_kills(const std::filesystem::path& proc_self,
                                  const std::filesystem::path& cgroup_root);

}  // namespace muster
