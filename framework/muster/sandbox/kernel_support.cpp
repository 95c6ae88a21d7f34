#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/sandbox/kernel_support.hpp>
#include <muster/sandbox/landlock.hpp>

namespace muster::sandbox {
namespace {

std::string explain_no_landlock(int error) {
  if (error == EOPNOTSUPP)
    return "it is not among the kernel's modules: boot with lsm=landlock,...";
  if (error == ENOSYS) return "this kernel has none, or a filter hides it: it takes Linux 5.13";
  return fmt::format("the kernel says: {}", std::strerror(error));
}

struct LandlockStep {
  int abi;
  const char* linux_version;
  const char* what;
};

constexpr LandlockStep landlock_steps[] = {
    {2, "5.19", "moving files between directories"},
    {3, "6.2", "truncating files"},
    {4, "6.7", "TCP listeners"},
    {landlock_abi_wanted, "6.12", "signals and abstract sockets to processes outside"},
};

}  // namespace

KernelSupport probe_kernel() {
  KernelSupport out;
  const int abi = landlock_abi();
  if (abi > 0) {
    out.landlock_abi = abi;
  } else {
    out.landlock_trouble = explain_no_landlock(-abi);
  }
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0)
    out.seccomp_trouble = fmt::format("the kernel says: {}", std::strerror(errno));
  return out;
}

std::string describe(const KernelSupport& support) {
  std::vector<std::string> parts{"no_new_privs"};
  if (support.landlock_abi > 0)
    parts.push_back(fmt::format("landlock (ABI {})", support.landlock_abi));
  if (support.seccomp_trouble.empty()) parts.emplace_back("seccomp");
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::vector<std::string> shortcomings(const KernelSupport& support) {
  std::vector<std::string> out;
  if (support.landlock_abi == 0) {
    out.push_back(fmt::format("landlock ({})", support.landlock_trouble));
  } else {
    for (const LandlockStep& step : landlock_steps) {
      if (support.landlock_abi < step.abi)
        out.push_back(fmt::format("{} (Landlock can forbid that from Linux {} on)", step.what,
                                  step.linux_version));
    }
  }
  if (!support.seccomp_trouble.empty())
    out.push_back(fmt::format("seccomp ({})", support.seccomp_trouble));
  return out;
}

void require_everything(const KernelSupport& support) {
  const std::vector<std::string> missing = shortcomings(support);
  if (missing.empty()) return;
  throw Error(
      ErrorCode::usage,
      fmt::format("--sandbox require: this machine does not enforce: {}", fmt::join(missing, "; ")),
      "Linux 6.12 or later with Landlock and seccomp, also inside the container; or "
      "--sandbox best-effort, which does what can be done and says what that is");
}

}  // namespace muster::sandbox
