#pragma once

namespace muster {

/// Prepares this program for process pools; to be called at the top of main. It forks the zygote,
/// the small process that all task processes are forks of.
///
/// Rules, and why:
/// - It must run before any thread and any ZeroMQ context exists: only the calling thread survives
///   in a fork, so that locks held by others would stay locked for ever. With more than one thread
///   it throws Error(usage). Everything a task needs (its function, globals) must be in the image
///   and set by then, since task processes see the program as it was at this call.
/// - Not while objects with static storage are being initialised: those that come later are not
///   there in task processes. So pools are made in main and later, wherever they are kept.
/// - It must be called by the main thread, and that thread must not end before the program: the
///   kernel kills the zygote, and with it all task processes, when the thread that forked it ends.
/// A worker of a cluster starts the program, too, to run its tasks: then this never returns. So
/// nothing should be done before it that is not wanted there.
/// Calling it again does nothing while the zygote lives, and makes a new one if that has died.
/// Throws Error(usage) in a task process. Not to be called by two threads at once (the rules above
/// exclude it).
void init();

/// Whether this process has called it.
bool is_initialized() noexcept;

/// True in a task process: no pool can be made there.
bool in_task_process() noexcept;

}  // namespace muster
