#include "memory_group.hpp"

#include <fstream>
#include <string>
#include <system_error>

#include <gtest/gtest.h>
#include <unistd.h>

#include "shared_memory.hpp"

namespace muster::test {
namespace {

bool write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file);
  out << text << std::flush;
  return out.good();
}

/// The directory of this process's own group; of version 1 if memory is accounted for there.
std::filesystem::path own_group(bool& is_v2) {
  std::ifstream in("/proc/self/cgroup");
  std::filesystem::path v2;
  for (std::string line; std::getline(in, line);) {
    const std::filesystem::path path = line.substr(line.find(':', line.find(':') + 1) + 1);
    if (line.find(":memory:") != std::string::npos) {
      is_v2 = false;
      return "/sys/fs/cgroup/memory" / path.relative_path();
    }
    if (line.starts_with("0::")) v2 = "/sys/fs/cgroup" / path.relative_path();
  }
  is_v2 = true;
  return v2;
}

}  // namespace

MemoryGroup::MemoryGroup(std::uint64_t bytes_max)
    : parent_(own_group(is_v2_)), group_(parent_ / ("muster-test-" + std::to_string(::getpid()))) {
  std::error_code failed;
  if (!std::filesystem::create_directory(group_, failed)) return;
  const std::string limit = std::to_string(bytes_max);
  const bool limited = write(group_ / (is_v2_ ? "memory.max" : "memory.limit_in_bytes"), limit);
  // Without swap; where there is none, there may be no such file.
  write(group_ / (is_v2_ ? "memory.swap.max" : "memory.memsw.limit_in_bytes"),
        is_v2_ ? "0" : limit);
  joined_ = limited && write(group_ / "cgroup.procs", "0");
}

MemoryGroup::~MemoryGroup() {
  if (joined_) write(parent_ / "cgroup.procs", "0");
  // Children that have just ended may still be counted in it.
  const bool removed = eventually([this] {
    std::error_code failed;
    std::filesystem::remove(group_, failed);
    return !failed;
  });
  EXPECT_TRUE(removed) << group_ << " still has processes";
}

std::uint64_t MemoryGroup::kills() const {
  std::ifstream in(group_ / (is_v2_ ? "memory.events" : "memory.oom_control"));
  std::string name;
  for (std::uint64_t count = 0; in >> name >> count;) {
    if (name == "oom_kill") return count;
  }
  return 0;
}

}  // namespace muster::test
