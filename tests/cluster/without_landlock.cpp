// without_landlock PROGRAM ARGUMENT...: runs it as on a kernel that has no Landlock.
#include <cerrno>
#include <cstdio>

#include <seccomp.h>
#include <unistd.h>

int main(int argc, char** argv) {
  scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
  if (argc < 2 || filter == nullptr ||
      ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) !=
          0 ||
      ::seccomp_load(filter) != 0) {
    std::fprintf(stderr, "without_landlock: it cannot be hidden\n");
    return 99;
  }
  ::execv(argv[1], argv + 1);
  std::perror(argv[1]);
  return 99;
}
