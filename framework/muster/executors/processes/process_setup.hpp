#pragma once

#include <span>

#include <sys/types.h>

#include <muster/executors/process_limits.hpp>

namespace muster::detail {

// What a process does to itself right after it was forked. Failures that would make it unsafe to go
// on end it at once.

/// Asks the kernel to kill this process when `parent` ends, and ends it here if that has happened
/// already, which the kernel would not tell. Strictly: when the thread that forked it ends.
void die_with_parent(pid_t parent) noexcept;

/// Default disposition for every signal, none blocked.
void reset_signals() noexcept;

/// Makes both descriptors refer to /dev/null.
void point_to_null(int first, int second) noexcept;

/// Closes every descriptor above stderr but those in `fds`, which are moved to 3, 4 and so on.
void keep_only(std::span<int> fds) noexcept;

/// Sets resource limits.
void apply_limits(const ProcessLimits& limits) noexcept;

}  // namespace muster::detail
