#pragma once

#include <cstdint>
#include <functional>

#include <muster/executors/task.hpp>

namespace muster::detail {

/// Throws Error(usage) of a task that cannot be sent to another process; it says why, and what to
/// do.
void require_sendable(const TaskBase& task);

/// Encodes the call of a task that has no home yet; `out` refers to its arguments. Throws what the
/// codec of an argument throws, and Error(limit) of a call that is larger. `use` is called while
/// the arguments are sure to be there. After that the task may have ended, by a deadline, or
/// cancelled, and with it the arguments.
void encode_call(TaskBase& task, std::uint64_t bytes_max, EncodedCall& out,
                 const std::function<void()>& use = {});

/// In a catch block: the task's outcome is what was caught, unless it has ended.
void end_with_current_exception(TaskPtr task);

}  // namespace muster::detail
