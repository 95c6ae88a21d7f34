// To be preloaded: kills its process at the n-th fsync or fdatasync, for the n of $KILL_AT_SYNC.
#include <atomic>
#include <csignal>
#include <cstdlib>

#include <dlfcn.h>
#include <unistd.h>

namespace {

std::atomic<int> syncs{0};

int sync_or_die(const char* name, int fd) {
  const char* const at = std::getenv("KILL_AT_SYNC");  // NOLINT: nobody sets it meanwhile
  if (at != nullptr && ++syncs == std::strtol(at, nullptr, 10)) ::raise(SIGKILL);
  using Sync = int (*)(int);
  return reinterpret_cast<Sync>(::dlsym(RTLD_NEXT, name))(fd);
}

}  // namespace

extern "C" {
[[gnu::visibility("default")]] int fsync(int fd) { return sync_or_die("fsync", fd); }
[[gnu::visibility("default")]] int fdatasync(int fd) { return sync_or_die("fdatasync", fd); }
}
