// To be preloaded: kills its process at the n-th step of what is to last, for the n of
// $KILL_AT_SYNC. The steps are the calls of fsync, fdatasync and the renames; each counts twice,
// before it is done and after.
#include <atomic>
#include <csignal>
#include <cstdlib>

#include <dlfcn.h>
#include <unistd.h>

namespace {

std::atomic<int> steps{0};

void step() {
  const char* const at = std::getenv("KILL_AT_SYNC");  // NOLINT: nobody sets it meanwhile
  if (at != nullptr && ++steps == std::strtol(at, nullptr, 10)) ::raise(SIGKILL);
}

template <class... A>
int with_steps(const char* name, A... arguments) {
  step();
  using Function = int (*)(A...);
  const int result = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name))(arguments...);
  step();
  return result;
}

}  // namespace

extern "C" {
[[gnu::visibility("default")]] int fsync(int fd) { return with_steps("fsync", fd); }
[[gnu::visibility("default")]] int fdatasync(int fd) { return with_steps("fdatasync", fd); }
[[gnu::visibility("default")]] int rename(const char* from, const char* to) noexcept {
  return with_steps("rename", from, to);
}
[[gnu::visibility("default")]] int renameat2(int from_fd, const char* from, int to_fd,
                                             const char* to, unsigned flags) noexcept {
  return with_steps("renameat2", from_fd, from, to_fd, to, flags);
}
}
