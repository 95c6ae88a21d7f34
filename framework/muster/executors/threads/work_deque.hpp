#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace muster::detail {

/// A double-ended queue of pointers for work stealing: its owner pushes and pops at the bottom,
/// anybody steals at the top. Chase and Lev, "Dynamic circular work-stealing deque", SPAA 2005,
/// with the orderings of Le, Pop, Cohen and Zappa Nardelli, PPoPP 2013; the fences there are
/// sequentially consistent operations here, which the thread sanitizer understands.
///
/// push() may throw std::bad_alloc. Owns nothing it points to.
template <class T>
class WorkDeque {
 public:
  WorkDeque() { grow(first_capacity); }
  WorkDeque(const WorkDeque&) = delete;
  WorkDeque& operator=(const WorkDeque&) = delete;

  /// By the owner.
  void push(T* item) {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    const std::int64_t top = top_.load(std::memory_order_acquire);
    if (bottom - top >= ring_.load(std::memory_order_relaxed)->size()) grow(0);
    ring_.load(std::memory_order_relaxed)->at(bottom).store(item, std::memory_order_relaxed);
    bottom_.store(bottom + 1, std::memory_order_release);
  }

  /// By the owner: what was pushed last; null if there is nothing.
  T* pop() {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    if (bottom < top_.load(std::memory_order_relaxed)) return nullptr;  // top only grows
    bottom_.store(bottom, std::memory_order_seq_cst);
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    T* item = nullptr;
    if (top <= bottom) {
      item = ring_.load(std::memory_order_relaxed)->at(bottom).load(std::memory_order_relaxed);
      if (top != bottom) return item;
      // The last one: thieves may be after it.
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst)) item = nullptr;
    }
    bottom_.store(bottom + 1, std::memory_order_relaxed);
    return item;
  }

  /// By the owner: takes `item` out if it is what was pushed last; says whether it did.
  bool pop_if_last(const T* item) {
    const std::int64_t last = bottom_.load(std::memory_order_relaxed) - 1;
    if (last < top_.load(std::memory_order_relaxed)) return false;
    Ring& ring = *ring_.load(std::memory_order_relaxed);
    return ring.at(last).load(std::memory_order_relaxed) == item && pop() != nullptr;
  }

  /// By the owner: has the processor fetch what pop() gives after `after` more calls. It was mostly
  /// another core that wrote it.
  void prefetch(std::int64_t after) const noexcept {
    const std::int64_t index = bottom_.load(std::memory_order_relaxed) - 1 - after;
    if (index < top_.load(std::memory_order_relaxed)) return;
    constexpr std::size_t cache_line = 64;
    const void* const item =
        ring_.load(std::memory_order_relaxed)->at(index).load(std::memory_order_relaxed);
    __builtin_prefetch(item, 1);
    __builtin_prefetch(static_cast<const char*>(item) + cache_line, 1);
  }

  /// By anybody: what was pushed first. Null if there is nothing, or somebody else was faster.
  T* steal() {
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    const std::int64_t bottom = bottom_.load(std::memory_order_seq_cst);
    if (top >= bottom) return nullptr;
    T* item = ring_.load(std::memory_order_acquire)->at(top).load(std::memory_order_relaxed);
    if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst)) return nullptr;
    return item;
  }

  /// By the owner: one more than where the last one lies. Grows with push(), falls with pop().
  std::int64_t end() const noexcept { return bottom_.load(std::memory_order_relaxed); }

  /// By anybody; may be outdated at once.
  bool empty() const noexcept {
    return bottom_.load(std::memory_order_seq_cst) <= top_.load(std::memory_order_seq_cst);
  }

 private:
  static constexpr std::size_t first_capacity = 256;

  class Ring {
   public:
    explicit Ring(std::size_t capacity) : mask_(capacity - 1), cells_(capacity) {}
    std::int64_t size() const noexcept { return static_cast<std::int64_t>(cells_.size()); }
    std::atomic<T*>& at(std::int64_t index) noexcept {
      return cells_[static_cast<std::size_t>(index) & mask_];
    }

   private:
    std::size_t mask_;
    std::vector<std::atomic<T*>> cells_;
  };

  // Thieves may still read an old ring, so all are kept until the end: together they are no larger
  // than the newest.
  void grow(std::size_t first) {
    Ring* old = ring_.load(std::memory_order_relaxed);
    auto larger =
        std::make_unique<Ring>(old == nullptr ? first : 2 * static_cast<std::size_t>(old->size()));
    if (old != nullptr) {
      const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
      for (std::int64_t i = top_.load(std::memory_order_acquire); i < bottom; ++i) {
        larger->at(i).store(old->at(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
      }
    }
    rings_.push_back(std::move(larger));
    ring_.store(rings_.back().get(), std::memory_order_release);
  }

  alignas(64) std::atomic<std::int64_t> top_{0};
  alignas(64) std::atomic<std::int64_t> bottom_{0};
  std::atomic<Ring*> ring_{nullptr};
  std::vector<std::unique_ptr<Ring>> rings_;
};

}  // namespace muster::detail
