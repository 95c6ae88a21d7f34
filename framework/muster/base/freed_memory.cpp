#include <cstdlib>

#include <malloc.h>

#include <muster/base/freed_memory.hpp>

namespace muster {

void keep_freed_memory() noexcept {
#ifdef M_TRIM_THRESHOLD
  constexpr int mapped_from = 32 << 20;  // the most that mallopt(3) takes
  constexpr int kept = 64 << 20;
  if (std::getenv("MALLOC_MMAP_THRESHOLD_") == nullptr) ::mallopt(M_MMAP_THRESHOLD, mapped_from);
  if (std::getenv("MALLOC_TRIM_THRESHOLD_") == nullptr) ::mallopt(M_TRIM_THRESHOLD, kept);
#endif
}

}  // namespace muster
