#pragma once

#include <functional>
#include <string_view>
#include <thread>

namespace muster {

/// Starts a thread of the library's own, in which no signal is handled but its own faults: the
/// program's handlers are for its own threads, and may rely on what those have. `what` is for the
/// message of an error: "the pool's thread". Thread-safe. Throws Error(broken) if the system gives
/// no thread.
std::thread start_thread(std::string_view what, std::function<void()> run);

}  // namespace muster
