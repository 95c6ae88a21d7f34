#include <algorithm>
#include <array>
#include <mutex>
#include <new>
#include <vector>

#include <muster/base/forks.hpp>
#include <muster/futures/state_memory.hpp>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MUSTER_PLAIN_STATES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MUSTER_PLAIN_STATES 1
#endif
#endif
#ifndef MUSTER_PLAIN_STATES
#define MUSTER_PLAIN_STATES 0
#endif

namespace muster::detail {
namespace {

constexpr std::size_t granule = 64;  // a cache line: no two states share one
constexpr std::size_t class_count = state_block_bytes_max / granule;
constexpr std::size_t slab_bytes = std::size_t{64} << 10U;
constexpr std::size_t magazine_blocks = 64;

constexpr std::size_t class_of(std::size_t size) { return (size + granule - 1) / granule - 1; }

// Blocks of one size that no thread holds. Lists of them lie outside of the blocks: a list through
// blocks that another core wrote last would be walked at the speed of its caches.
class Depot {
 public:
  // Gives `count` blocks, of a fresh slab if there are too few.
  void take(void** out, std::size_t count, std::size_t block_bytes) {
    const std::lock_guard lock(mutex_);
    while (free_.size() < count) carve_slab(block_bytes);
    const auto begin = free_.end() - static_cast<std::ptrdiff_t>(count);
    std::copy(begin, free_.end(), out);
    free_.erase(begin, free_.end());
  }

  // Blocks that take() gave: there is room for them. In a forked child some are of its parent's
  // depot: those for which there is no room are left.
  void give(void* const* blocks, std::size_t count) noexcept {
    const std::lock_guard lock(mutex_);
    if (free_.capacity() - free_.size() >= count) free_.insert(free_.end(), blocks, blocks + count);
  }

 private:
  void carve_slab(std::size_t block_bytes) {
    const std::size_t count = slab_bytes / block_bytes;
    if (free_.capacity() < carved_ + count) free_.reserve(2 * (carved_ + count));
    auto* slab = static_cast<char*>(::operator new (slab_bytes, std::align_val_t{granule}));
    for (std::size_t at = count; at > 0; --at) free_.push_back(slab + (at - 1) * block_bytes);
    carved_ += count;
  }

  std::mutex mutex_;
  std::vector<void*> free_;  // with room for all that were carved
  std::size_t carved_ = 0;
};

// Futures may end after all static objects have, and be made in a forked child.
constinit PerProcess<std::array<Depot, class_count>> depots;

// Trivially destructible, so that it may be read by what a thread destroys after its cache.
thread_local bool cache_ended = false;

// What one thread holds of each size: up to two magazines.
class ThreadCache {
 public:
  ~ThreadCache() {
    for (std::size_t i = 0; i < class_count; ++i)
      depots.get()[i].give(held_[i].blocks, held_[i].count);
    cache_ended = true;
  }

  void* allocate(std::size_t index) {
    Held& held = held_[index];
    if (held.count == 0) {
      depots.get()[index].take(held.blocks, magazine_blocks, (index + 1) * granule);
      held.count = magazine_blocks;
    }
    void* const block = held.blocks[--held.count];
    // Those that come next were mostly written by another core last.
    if (held.count >= prefetched) __builtin_prefetch(held.blocks[held.count - prefetched], 1);
    return block;
  }

  void release(void* memory, std::size_t index) noexcept {
    Held& held = held_[index];
    if (held.count == 2 * magazine_blocks) {
      held.count = magazine_blocks;
      depots.get()[index].give(held.blocks + magazine_blocks, magazine_blocks);
    }
    held.blocks[held.count++] = memory;
  }

 private:
  static constexpr std::size_t prefetched = 4;

  struct Held {
    std::size_t count;
    void* blocks[2 * magazine_blocks];
  };

  Held held_[class_count] = {};
};

thread_local ThreadCache cache;

}  // namespace

void* allocate_state(std::size_t size) {
  if (MUSTER_PLAIN_STATES == 1 || size > state_block_bytes_max) return ::operator new(size);
  const std::size_t index = class_of(size);
  if (!cache_ended) return cache.allocate(index);
  void* memory = nullptr;
  depots.get()[index].take(&memory, 1, (index + 1) * granule);
  return memory;
}

void release_state(void* memory, std::size_t size) noexcept {
  if (MUSTER_PLAIN_STATES == 1 || size > state_block_bytes_max) {
    ::operator delete(memory);
    return;
  }
  const std::size_t index = class_of(size);
  if (!cache_ended) {
    cache.release(memory, index);
    return;
  }
  depots.get()[index].give(&memory, 1);
}

}  // namespace muster::detail
