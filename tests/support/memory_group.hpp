#pragma once

#include <cstdint>
#include <filesystem>

namespace muster::test {

/// A control group below this process's own with a limit on memory, for tests that the kernel is
/// to kill for want of it. This process joins it, and leaves it at the end. Needs root, or a group
/// that was delegated to the user.
class MemoryGroup {
 public:
  explicit MemoryGroup(std::uint64_t bytes_max);
  ~MemoryGroup();
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  bool joined() const noexcept { return joined_; }  ///< false if such a group cannot be made here
  std::uint64_t kills() const;                      ///< how many the kernel has killed in it

 private:
  bool is_v2_ = false;
  bool joined_ = false;
  std::filesystem::path parent_;
  std::filesystem::path group_;
};

}  // namespace muster::test
