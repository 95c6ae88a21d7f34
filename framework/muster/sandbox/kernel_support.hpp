#pragma once

#include <string>
#include <vector>

namespace muster::sandbox {

/// What a kernel can enforce, or what is enforced. Plain data, so that tests can make one up.
struct KernelSupport {
  int landlock_abi = 0;  ///< 0: there is no Landlock, see landlock_trouble
  std::string landlock_trouble = {};
  std::string seccomp_trouble = {};  ///< empty: it works
};

/// Asks the kernel; changes nothing. Thread-safe.
KernelSupport probe_kernel();

/// The Landlock ABI from which on everything that the sandbox wants is there (Linux 6.12).
inline constexpr int landlock_abi_wanted = 6;

/// For people: "no_new_privs, landlock (ABI 7), seccomp". The first is in every kernel.
std::string describe(const KernelSupport& support);

/// What the sandbox wants and this kernel does not enforce, each with the reason, for people.
std::vector<std::string> shortcomings(const KernelSupport& support);

/// Throws Error(usage) that lists the shortcomings and says what to do, if there are any.
void require_everything(const KernelSupport& support);

}  // namespace muster::sandbox
