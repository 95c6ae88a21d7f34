#pragma once

#include <string>

namespace muster::sandbox {

/// The filter of system calls, as the kernel takes it: an array of sock_filter. Calls that no task
/// needs and that widen what of the kernel can be attacked fail with EPERM; clone3 fails with
/// ENOSYS, as its flags lie where no filter sees them, and C libraries go back to clone. Throws
/// Error(io).
std::string make_syscall_filter();

/// For the calling thread and all that it starts, for ever; no_new_privs must be set. 0, or an
/// errno. Takes no memory and no lock: for use between fork and exec.
int filter_syscalls(const std::string& filter) noexcept;

}  // namespace muster::sandbox
