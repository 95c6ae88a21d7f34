#pragma once

#include <cstdint>

#include <muster/executors/task.hpp>

namespace muster::detail {

/// Throws Error(usage) of a task that cannot be sent to another process; it says why, and what to
/// do.
void require_sendable(const TaskBase& task);

/// Encodes the call of a task that has no home yet; `out` refers to its arguments. Throws what the
/// codec of an argument throws, and Error(limit) of a call that is larger. The task may have ended
/// then: by a deadline, or cancelled.
void encode_call(TaskBase& task, std::uint64_t bytes_max, EncodedCall& out);

/// In a catch block: the task's outcome is what was caught, unless it has ended.
void end_with_current_exception(TaskPtr task);

}  // namespace muster::detail
