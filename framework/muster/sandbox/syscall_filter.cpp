#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>

#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/sandbox/syscall_filter.hpp>

namespace muster::sandbox {
namespace {

// LeakSanitizer stops all threads of its process by ptrace, and the thread sanitizer may turn off
// address randomisation by personality: builds with sanitizers may do these two.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif
#else
constexpr bool is_sanitized = false;
#endif

// By name, since C libraries and libseccomp of older systems do not know the numbers of all; what
// libseccomp does not know cannot be denied.
constexpr std::array denied = {
    // file systems
    "mount", "umount", "umount2", "pivot_root", "mount_setattr", "move_mount", "open_tree",
    "fsopen", "fsconfig", "fsmount", "fspick", "swapon", "swapoff", "quotactl", "quotactl_fd",
    "acct", "open_by_handle_at", "fanotify_init",
    // other processes
    "process_vm_readv", "process_vm_writev", "pidfd_getfd", "setns",
    // the kernel itself
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "bpf",
    "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "add_key", "request_key", "keyctl", "syslog", "reboot", "iopl", "ioperm",
    // what all processes of the machine share
    "settimeofday", "stime", "clock_settime", "clock_settime64", "sethostname", "setdomainname"};

constexpr std::array<std::uint64_t, 8> namespaces = {
    CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
    CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET, 0x80 /* CLONE_NEWTIME, in no header of glibc */};

using Context = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

void check(int result, const char* what) {
  if (result < 0)
    throw system_error(-result, fmt::format("cannot make a seccomp filter: {}", what));
}

template <class... Comparisons>
void deny(const Context& filter, const char* name, Comparisons... comparisons) {
  const int number = ::seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) return;
  const scmp_arg_cmp all[] = {comparisons..., {}};
  check(::seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(EPERM), number,
                                 sizeof...(comparisons), all),
        name);
}

/// The other ways into the same kernel: 32-bit programs, which a task may start.
void add_architectures(const Context& filter) {
  const std::uint32_t native = ::seccomp_arch_native();
  if (native == SCMP_ARCH_X86_64) {
    check(::seccomp_arch_add(filter.get(), SCMP_ARCH_X86), "x86");
    check(::seccomp_arch_add(filter.get(), SCMP_ARCH_X32), "x32");
  } else if (native == SCMP_ARCH_AARCH64) {
    check(::seccomp_arch_add(filter.get(), SCMP_ARCH_ARM), "arm");
  }
}

scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

void add_rules(const Context& filter) {
  for (const char* const each : denied) deny(filter, each);
  for (const std::uint64_t each : namespaces) {
    deny(filter, "unshare", masked(0, each, each));
    // Of clone the lowest byte is the signal that tells of the end; CLONE_NEWTIME is not for it.
    if (each > CSIGNAL) deny(filter, "clone", masked(0, each, each));
  }
  // The kernel looks at 32 bits of the number: the others must not hide it.
  constexpr std::uint64_t whole_word = 0xffffffff;
  for (const unsigned each : {unsigned{TIOCSTI}, unsigned{TIOCLINUX}})
    deny(filter, "ioctl", masked(1, whole_word, each));
  check(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
  if (is_sanitized) return;
  deny(filter, "ptrace");
  deny(filter, "personality", scmp_arg_cmp{0, SCMP_CMP_NE, 0, 0});
}

std::string export_filter(const Context& filter) {
  const UniqueFd file(::memfd_create("muster-seccomp", MFD_CLOEXEC));
  if (!file) throw system_error(errno, "cannot make memory for a seccomp filter");
  check(::seccomp_export_bpf(filter.get(), file.get()), "export");
  constexpr std::size_t bytes_max = sizeof(sock_filter) * BPF_MAXINSNS;
  std::string out(bytes_max, '\0');
  out.resize(read_at(file.get(), out.data(), out.size(), 0, "a seccomp filter"));
  return out;
}

}  // namespace

std::string make_syscall_filter() {
  const Context filter(::seccomp_init(SCMP_ACT_ALLOW), &::seccomp_release);
  if (filter == nullptr) throw Error(ErrorCode::io, "cannot make a seccomp filter: no memory");
  check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM)), "arch");
  // Sorted as a tree: some ten comparisons a call instead of one for each that is denied.
  check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
  add_architectures(filter);
  add_rules(filter);
  return export_filter(filter);
}

int filter_syscalls(const std::string& filter) noexcept {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size() / sizeof(sock_filter));
  // The kernel copies it.
  program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(filter.data()));  // NOLINT
  // Without this flag kernels before 5.16 would slow down all that tasks compute.
  constexpr unsigned long flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0 ? 0 : errno;
}

}  // namespace muster::sandbox
