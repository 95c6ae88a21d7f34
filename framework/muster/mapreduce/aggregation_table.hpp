#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/mapreduce/huge_array.hpp>
#include <muster/mapreduce/key_hash.hpp>

namespace muster::mapreduce {

/// Combines values by key, where a key is a string of bytes: what the map side and the reduce
/// side of a combining task spend their time in.
///
/// Open addressing with linear probing, at most half full. Keys of up to 15 bytes lie in the slot
/// itself; longer ones have a table of their own, with their bytes in an arena. Additions of
/// short keys are collected in a small batch whose slots are prefetched, so that the memory
/// latency of up to `batch_size` keys overlaps; every other call works the batch off first.
///
/// Value must be default-constructible and movable. Combine is `Value(Value, Value)`.
/// Not thread-safe. May throw std::bad_alloc, and what Combine throws.
template <class Value, class Combine>
class AggregationTable {
 public:
  explicit AggregationTable(HashSeed seed, Combine combine)
      : seed_(seed), combine_(std::move(combine)), short_(slots_min), long_(slots_min) {}

  void add(std::string_view key, Value value) {
    if (key.size() > ShortKey::size_max) [[unlikely]] {
      add_long(key, std::move(value));
      return;
    }
    Pending& pending = batch_[batched_];
    pending.key = make_short_key(key);
    pending.hash = hash_key(pending.key, seed_);
    pending.value = std::move(value);
    __builtin_prefetch(&short_.slots[short_.home(pending.hash)], 1);
    if (++batched_ == batch_size) [[unlikely]]
      work_off();
  }

  /// Calls visit(std::string_view key, Value& value) for every key, in no order that means
  /// anything. The views last until the table changes.
  template <class Visit>
  void for_each(Visit&& visit) {
    work_off();
    for (std::size_t i = 0; i < short_.slots.size(); ++i) {
      ShortSlot& slot = short_.slots[i];
      if (!slot.key.empty()) visit(slot.key.view(), slot.value);
    }
    for (std::size_t i = 0; i < long_.slots.size(); ++i) {
      LongSlot& slot = long_.slots[i];
      if (slot.data != nullptr) visit(std::string_view(slot.data, slot.size), slot.value);
    }
  }

  std::size_t size() {
    work_off();
    return short_.used + long_.used;
  }

  /// Bytes held by tables and keys; memory that values own elsewhere is not counted.
  std::size_t memory_bytes() const noexcept {
    return short_.slots.bytes() + long_.slots.bytes() + arena_bytes_;
  }

  /// Forgets all keys; keeps the memory of the tables for the next ones.
  void clear() {
    batched_ = 0;
    if (short_.used != 0) short_.slots.reset();
    if (long_.used != 0) long_.slots.reset();
    short_.used = long_.used = 0;
    arena_.clear();
    arena_bytes_ = arena_left_ = 0;
  }

  /// Forgets all keys and gives the memory back.
  void release() {
    clear();
    short_ = Table<ShortSlot>(slots_min);
    long_ = Table<LongSlot>(slots_min);
  }

 private:
  static constexpr std::size_t slots_min = 1024;
  static constexpr std::size_t batch_size = 32;
  static constexpr std::size_t arena_block_bytes = std::size_t{256} << 10U;

  struct ShortSlot {
    ShortKey key{};
    Value value{};
  };
  struct LongSlot {
    const char* data = nullptr;
    std::size_t size = 0;
    std::uint64_t hash = 0;
    Value value{};
  };
  struct Pending {
    ShortKey key{};
    std::uint64_t hash = 0;
    Value value{};
  };

  template <class Slot>
  struct Table {
    explicit Table(std::size_t size)
        : slots(size), shift(64U - static_cast<unsigned>(__builtin_ctzll(size))) {}
    // The top bits of the hash: multiplication mixes those best.
    std::size_t home(std::uint64_t hash) const noexcept { return hash >> shift; }
    std::size_t after(std::size_t at) const noexcept { return (at + 1) & (slots.size() - 1); }

    HugeArray<Slot> slots;
    unsigned shift;
    std::size_t used = 0;
  };

  void work_off() {
    for (std::size_t i = 0; i < batched_; ++i) {
      Pending& pending = batch_[i];
      std::size_t at = short_.home(pending.hash);
      for (;; at = short_.after(at)) {
        ShortSlot& slot = short_.slots[at];
        if (slot.key == pending.key) {
          slot.value = combine_(std::move(slot.value), std::move(pending.value));
          break;
        }
        if (slot.key.empty()) {
          slot.key = pending.key;
          slot.value = std::move(pending.value);
          if (++short_.used * 2 > short_.slots.size()) grow_short();
          break;
        }
      }
    }
    batched_ = 0;
  }

  void add_long(std::string_view key, Value value) {
    const std::uint64_t hash = hash_bytes(key, seed_);
    for (std::size_t at = long_.home(hash);; at = long_.after(at)) {
      LongSlot& slot = long_.slots[at];
      if (slot.data == nullptr) {
        slot.data = keep(key);
        slot.size = key.size();
        slot.hash = hash;
        slot.value = std::move(value);
        if (++long_.used * 2 > long_.slots.size()) grow_long();
        return;
      }
      if (slot.hash == hash && std::string_view(slot.data, slot.size) == key) {
        slot.value = combine_(std::move(slot.value), std::move(value));
        return;
      }
    }
  }

  const char* keep(std::string_view key) {
    if (key.size() > arena_left_) {
      const std::size_t size = std::max(arena_block_bytes, key.size());
      arena_.push_back(std::make_unique_for_overwrite<char[]>(size));
      arena_next_ = arena_.back().get();
      arena_left_ = size;
      arena_bytes_ += size;
    }
    char* place = arena_next_;
    std::memcpy(place, key.data(), key.size());
    arena_next_ += key.size();
    arena_left_ -= key.size();
    return place;
  }

  // Few growth steps for big tables, and no memory wasted on small ones.
  static std::size_t grown(std::size_t size) { return size < (1U << 20U) ? size * 4 : size * 2; }

  void grow_short() {
    Table<ShortSlot> larger(grown(short_.slots.size()));
    for (std::size_t i = 0; i < short_.slots.size(); ++i) {
      ShortSlot& slot = short_.slots[i];
      if (slot.key.empty()) continue;
      std::size_t at = larger.home(hash_key(slot.key, seed_));
      while (!larger.slots[at].key.empty()) at = larger.after(at);
      larger.slots[at] = std::move(slot);
    }
    larger.used = short_.used;
    short_ = std::move(larger);
  }

  void grow_long() {
    Table<LongSlot> larger(grown(long_.slots.size()));
    for (std::size_t i = 0; i < long_.slots.size(); ++i) {
      LongSlot& slot = long_.slots[i];
      if (slot.data == nullptr) continue;
      std::size_t at = larger.home(slot.hash);
      while (larger.slots[at].data != nullptr) at = larger.after(at);
      larger.slots[at] = std::move(slot);
    }
    larger.used = long_.used;
    long_ = std::move(larger);
  }

  HashSeed seed_;
  [[no_unique_address]] Combine combine_;
  Table<ShortSlot> short_;
  Table<LongSlot> long_;
  Pending batch_[batch_size] = {};
  std::size_t batched_ = 0;
  std::vector<std::unique_ptr<char[]>> arena_;
  char* arena_next_ = nullptr;
  std::size_t arena_left_ = 0;
  std::size_t arena_bytes_ = 0;
};

}  // namespace muster::mapreduce
