#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster::scheduling {

/// Why an attempt ended without a result. The shell decides which one it was; the scheduler charges
/// it. Rationale for so many: each has a remedy of its own, so each has a retry budget of its own.
enum class FailureCause : std::uint8_t {
  task_error,     ///< task code reported an error: running it again would report it again
  crashed,        ///< the task process died by its own doing: SIGSEGV, abort, _exit
  killed,         ///< the task process was ended from outside, such as by SIGKILL
  worker_lost,    ///< the whole worker went away
  out_of_memory,  ///< the task went over its memory limit
  no_space,       ///< a file system was full
  input_changed,  ///< the chunk's input is not what it was when the job was cut
  input_lost,     ///< what a stage before had left for it on a worker could not be fetched
};

inline constexpr std::size_t failure_cause_count = 8;

/// The name as it appears in logs and JSON, such as "worker_lost".
std::string_view to_string(FailureCause cause) noexcept;

/// One T for each cause.
template <class T>
class PerCause {
 public:
  T& operator[](FailureCause cause) { return values_[static_cast<std::size_t>(cause)]; }
  const T& operator[](FailureCause cause) const { return values_[static_cast<std::size_t>(cause)]; }

  friend bool operator==(const PerCause&, const PerCause&) = default;

 private:
  std::array<T, failure_cause_count> values_{};
};

}  // namespace muster::scheduling
