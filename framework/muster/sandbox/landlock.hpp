#pragma once

#include <muster/base/file.hpp>
#include <muster/sandbox/sandbox_rules.hpp>

namespace muster::sandbox {

/// The kernel's Landlock ABI, from 1 on; or the negative errno if there is no Landlock.
int landlock_abi() noexcept;

/// What makes up rules for this kernel: reads everywhere but what is hidden; writes below
/// what is writable, and on the devices that programs expect; no TCP listener (ABI 4), no signals
/// or abstract sockets to processes outside (ABI 6). Files that come later right beside something
/// on the way to what is hidden are hidden, too: Landlock only ever allows. Throws Error(io) if a
/// directory on that way cannot be listed, Error(usage) if something hidden is writable.
UniqueFd make_ruleset(const SandboxRules& rules);

/// For the calling thread and all that it starts, for ever. 0, or an errno. Takes no memory and no
/// lock: for use between fork and exec.
int restrict_to(int ruleset) noexcept;

}  // namespace muster::sandbox
