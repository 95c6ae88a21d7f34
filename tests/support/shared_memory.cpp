#include "shared_memory.hpp"

#include <cstdlib>
#include <new>

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

namespace muster::test {
namespace {

Shared* shared_memory = nullptr;

}  // namespace

Shared& shared() { return *shared_memory; }

void map_shared() {
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  shared_memory = ::new (memory) Shared{};
  ::pthread_atfork(nullptr, nullptr, [] {
    if (shared().doomed_births == 0) return;
    --shared().doomed_births;
    std::_Exit(9);
  });
}

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
