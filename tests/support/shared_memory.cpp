#include "shared_memory.hpp"

#include <cstdlib>
#include <new>
#include <string>

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

namespace muster::test {
namespace {

constexpr const char* variable = "MUSTER_TEST_SHARED";

Shared* shared_memory = nullptr;
int shared_fd = -1;
char shared_name[] = "/dev/shm/muster-test-XXXXXX";
pid_t shared_owner = 0;

/// With a name, for the programs that a worker starts: in their sandbox they reach no descriptor of
/// this process through /proc.
int make_shared_file() {
  shared_owner = ::getpid();
  std::atexit([] {
    if (::getpid() == shared_owner) ::unlink(shared_name);
  });
  return ::mkostemp(shared_name, O_CLOEXEC);
}

}  // namespace

Shared& shared() { return *shared_memory; }

void map_shared() {
  const char* const given = std::getenv(variable);
  shared_fd = given != nullptr ? ::open(given, O_RDWR | O_CLOEXEC) : make_shared_file();
  if (shared_fd < 0 || ::ftruncate(shared_fd, sizeof(Shared)) != 0) std::abort();
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
  if (memory == MAP_FAILED) std::abort();
  shared_memory = given != nullptr ? static_cast<Shared*>(memory) : ::new (memory) Shared{};
  ::pthread_atfork(nullptr, nullptr, [] {
    if (shared().doomed_births == 0) return;
    --shared().doomed_births;
    std::_Exit(9);
  });
}

std::string shared_memory_variable() { return std::string(variable) + "=" + shared_name; }

void reset_shared() {
  shared().runs = 0;
  shared().gate = 0;
  shared().at_gate = 0;
  shared().passed_gate = 0;
  shared().doomed_births = 0;
  for (auto& runs : shared().runs_by_number) runs = 0;
}

void stay_at_gate() {
  ++shared().at_gate;
  while (shared().gate == 0) ::usleep(100);  // bounded poll: the test opens it, or kills us
  ++shared().passed_gate;
}

}  // namespace muster::test
