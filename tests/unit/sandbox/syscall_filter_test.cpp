#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "in_child.hpp"

namespace muster::sandbox {
namespace {

constexpr SandboxRules filtered{.landlock_abi = 0, .filters_calls = true};

int error_of(long result) { return result < 0 ? errno : 0; }

struct DeniedCall {
  const char* name;
  std::function<int()> call;  ///< does no harm where it is not denied: it gives an errno
};

std::vector<DeniedCall> denied_calls() {
  const auto raw = [](long number) {
    return [=] { return error_of(::syscall(number, -1, 0, 0)); };
  };
  return {
      {"mount", [] { return error_of(::mount("", "/nowhere", "tmpfs", 0, nullptr)); }},
      {"umount2", [] { return error_of(::umount2("/nowhere", 0)); }},
      {"open_tree", raw(SYS_open_tree)},
      {"move_mount", raw(SYS_move_mount)},
      {"fsmount", raw(SYS_fsmount)},
      {"mount_setattr", raw(SYS_mount_setattr)},
      {"unshare", [] { return error_of(::unshare(CLONE_NEWUSER)); }},
      {"setns", [] { return error_of(::setns(-1, 0)); }},
      {"clone",
       [] { return error_of(::syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS, 0, 0, 0, 0)); }},
      {"process_vm_readv",
       [] {
         return error_of(::syscall(SYS_process_vm_readv, ::getpid(), nullptr, 0, nullptr, 0, 0));
       }},
      {"bpf", raw(SYS_bpf)},
      {"perf_event_open", raw(SYS_perf_event_open)},
      {"keyctl", [] { return error_of(::syscall(SYS_keyctl, 0, -3, 0)); }},
      {"userfaultfd", [] { return error_of(::syscall(SYS_userfaultfd, 1)); }},
      {"io_uring_setup", raw(SYS_io_uring_setup)},
      {"init_module", raw(SYS_init_module)},
      {"kexec_load", [] { return error_of(::syscall(SYS_kexec_load, 0, -1, 0, -1)); }},
      {"open_by_handle_at", raw(SYS_open_by_handle_at)},
      {"quotactl", [] { return error_of(::syscall(SYS_quotactl, -1, "/nowhere", 0, nullptr)); }},
      {"acct", [] { return error_of(::syscall(SYS_acct, "/nowhere")); }},
      {"swapon", [] { return error_of(::syscall(SYS_swapon, "/nowhere", 0)); }},
      {"reboot", [] { return error_of(::syscall(SYS_reboot, 0, 0, 0, 0)); }},
      {"clock_settime", [] { return error_of(::syscall(SYS_clock_settime, -1, nullptr)); }},
      {"personality", [] { return error_of(::personality(ADDR_NO_RANDOMIZE)); }},
      {"ptrace", [] { return error_of(::ptrace(PTRACE_PEEKDATA, 0, nullptr, nullptr)); }},
      {"ioctl TIOCSTI", [] { return error_of(::ioctl(STDIN_FILENO, TIOCSTI, nullptr)); }},
      {"ioctl TIOCSTI, hidden",
       [] { return error_of(::syscall(SYS_ioctl, -1, TIOCSTI | (1UL << 40U), 0)); }},
  };
}

bool is_free_in_this_build(const std::string& name) {
#if defined(MUSTER_SANITIZED)
  return name == "ptrace" || name == "personality";
#else
  return name.empty();
#endif
}

TEST(SyscallFilter, DeniesWhatNoTaskNeeds) {
  for (const DeniedCall& each : denied_calls()) {
    if (is_free_in_this_build(each.name)) continue;
    EXPECT_EQ(in_child(&filtered, each.call), EPERM) << each.name;
  }
}

/// A hardened kernel takes no modules from anybody, and a container may leave its root none.
bool takes_modules() {
  std::string disabled;
  std::getline(std::ifstream("/proc/sys/kernel/modules_disabled"), disabled);
  return disabled != "1" && ::prctl(PR_CAPBSET_READ, CAP_SYS_MODULE, 0, 0, 0) == 1;
}

// With the rights of root: the kernel says EPERM by itself to others.
TEST(SyscallFilter, IsWhatDeniesIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  for (const DeniedCall& each : denied_calls()) {
    if (each.name == std::string("init_module") && !takes_modules()) continue;
    EXPECT_NE(in_child(nullptr, each.call), EPERM) << each.name;
  }
}

TEST(SyscallFilter, HasClone3FailAsOnOldKernels) {
  const auto clone3 = [] { return error_of(::syscall(SYS_clone3, nullptr, 0)); };
  EXPECT_EQ(in_child(&filtered, clone3), ENOSYS);
  EXPECT_EQ(in_child(nullptr, clone3), EINVAL);
}

TEST(SyscallFilter, LeavesTheRestAlone) {
  EXPECT_EQ(in_child(&filtered,
                     [] {
                       std::thread([] {}).join();
                       return 0;
                     }),
            0);
  EXPECT_EQ(in_child(&filtered, [] { return error_of(::unshare(CLONE_FILES)); }), 0);
  EXPECT_EQ(in_child(&filtered, [] { return error_of(::personality(0)); }), 0);
  EXPECT_EQ(in_child(&filtered, [] { return error_of(::kill(::getpid(), 0)); }), 0);
  const auto start_program = [] {
    std::string name = "true";
    char* arguments[] = {name.data(), nullptr};
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, "/bin/true", nullptr, nullptr, arguments, environ);
    int status = 0;
    if (error == 0) ::waitpid(pid, &status, 0);
    return error != 0 ? error : status;
  };
  EXPECT_EQ(in_child(&filtered, start_program), 0);
}

}  // namespace
}  // namespace muster::sandbox
