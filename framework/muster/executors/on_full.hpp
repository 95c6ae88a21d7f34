#pragma once

#include <cstdint>

namespace muster {

/// What submit() does when an executor's queue is full. Tasks submitted by the executor's own
/// threads, by callbacks of its futures, and by timers of decorators are always taken: those must
/// not wait for the room that only they can make.
enum class OnFull : std::uint8_t {
  block,          ///< waits for room
  raise,          ///< throws QueueFullError
  run_in_caller,  ///< runs the task itself, before it returns. Not with processes: it would run
                  ///< here
};

}  // namespace muster
