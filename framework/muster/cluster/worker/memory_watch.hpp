#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <sys/types.h>

#include <muster/base/clock.hpp>

namespace muster::cluster {

/// The memory that a process and all that it has started take, in bytes: what is theirs alone, and
/// their share of what they have in common with others since a fork. Files that are mapped do not
/// count: the kernel drops them when it needs room. 0 of a process that is gone.
std::uint64_t memory_of_tree(pid_t process);

/// Holds task processes to a limit for all together. Where they go over it the one that has most is
/// to be ended, before the kernel ends somebody of its choice. Not thread-safe.
class MemoryWatch {
 public:
  struct Finding {
    pid_t largest = 0;
    std::uint64_t largest_bytes = 0;
    std::uint64_t bytes = 0;  ///< of all
  };

  explicit MemoryWatch(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  /// Looks at these processes. What is found is to be ended; none while one that was found is still
  /// there, for a while, since its memory is not free before.
  std::optional<Finding> look(TimePoint now, const std::vector<pid_t>& processes);
  std::uint64_t bytes_max() const noexcept { return bytes_max_; }

 private:
  std::uint64_t bytes_max_;
  pid_t ending_ = 0;
  TimePoint ending_until_{};
};

}  // namespace muster::cluster
