#include <array>
#include <mutex>
#include <new>
#include <utility>

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

struct Block {
  Block* next;           // in its magazine
  Block* next_magazine;  // in the depot; of a magazine's first block only
};

// A stack of blocks.
struct Magazine {
  Block* top = nullptr;
  std::size_t count = 0;

  void push(void* memory) noexcept {
    top = ::new (memory) Block{top, nullptr};
    ++count;
  }
  void* pop() noexcept {
    Block* block = top;
    top = block->next;
    --count;
    return block;
  }
};

// Magazines of one size that no thread holds. Full ones but for those that ended threads left.
class Depot {
 public:
  // Nothing in the depot: blocks from a fresh slab.
  Magazine take(std::size_t block_bytes) {
    {
      const std::lock_guard lock(mutex_);
      if (first_ != nullptr) {
        Block* block = std::exchange(first_, first_->next_magazine);
        Magazine out{block, 0};
        for (; block != nullptr; block = block->next) ++out.count;
        return out;
      }
    }
    Magazine fresh;
    auto* slab = static_cast<char*>(::operator new (slab_bytes, std::align_val_t{granule}));
    for (std::size_t at = slab_bytes / block_bytes; at > 0; --at) {
      fresh.push(slab + (at - 1) * block_bytes);
    }
    return fresh;
  }

  void give(Magazine magazine) noexcept {
    if (magazine.top == nullptr) return;
    const std::lock_guard lock(mutex_);
    magazine.top->next_magazine = std::exchange(first_, magazine.top);
  }

 private:
  std::mutex mutex_;
  Block* first_ = nullptr;
};

// Never destroyed: futures may end after all static objects have.
std::array<Depot, class_count>& depots() {
  static auto& all = *new std::array<Depot, class_count>;
  return all;
}

// Trivially destructible, so that it may be read by what a thread destroys after its cache.
thread_local bool cache_ended = false;

// What one thread holds of each size: the magazine it works on, and a full one.
class ThreadCache {
 public:
  ~ThreadCache() {
    for (std::size_t i = 0; i < class_count; ++i) {
      depots()[i].give(held_[i].first);
      depots()[i].give(held_[i].second);
    }
    cache_ended = true;
  }

  void* allocate(std::size_t index) {
    auto& [work, spare] = held_[index];
    if (work.count == 0) {
      std::swap(work, spare);
      if (work.count == 0) work = depots()[index].take((index + 1) * granule);
    }
    return work.pop();
  }

  void release(void* memory, std::size_t index) noexcept {
    auto& [work, spare] = held_[index];
    if (work.count >= magazine_blocks) {
      if (spare.count != 0) depots()[index].give(std::exchange(spare, {}));
      std::swap(work, spare);
    }
    work.push(memory);
  }

 private:
  std::array<std::pair<Magazine, Magazine>, class_count> held_;
};

thread_local ThreadCache cache;

}  // namespace

void* allocate_state(std::size_t size) {
  if (MUSTER_PLAIN_STATES == 1 || size > state_block_bytes_max) return ::operator new(size);
  const std::size_t index = class_of(size);
  if (!cache_ended) return cache.allocate(index);
  Magazine one = depots()[index].take((index + 1) * granule);
  void* memory = one.pop();
  depots()[index].give(one);
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
  Magazine one;
  one.push(memory);
  depots()[index].give(one);
}

}  // namespace muster::detail
