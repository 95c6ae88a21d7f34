#include "floor_table.hpp"

#include <cstring>
#include <new>

#include <sys/mman.h>

namespace floor_bench {

namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::uint64_t hash_bytes(const char* text, std::size_t size) {
  std::uint64_t hash = size * 0x9e3779b97f4a7c15U;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * 0xbf58476d1ce4e5b9U;
    hash ^= hash >> 29;
  };
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text + at, 8);
    mix(word);
  }
  std::uint64_t word = 0;
  std::memcpy(&word, text + at, size - at);
  mix(word);
  return hash ^ (hash >> 32);
}

}  // namespace

ShortTable::~ShortTable() {
  if (slots_ != nullptr) ::munmap(slots_, mapped_);
}

void ShortTable::allocate(unsigned bits) {
  const std::size_t bytes = sizeof(Slot) << bits;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // Fewer TLB misses; only a hint, so its failure does not matter.
  if (bytes >= kHugePage) ::madvise(memory, bytes, MADV_HUGEPAGE);
  slots_ = static_cast<Slot*>(memory);
  mapped_ = bytes;
  shift_ = 32 - bits;
}

void ShortTable::grow() {
  if (shift_ == 0) throw std::bad_alloc();
  Slot* const old = slots_;
  const std::size_t old_size = size();
  const std::size_t old_bytes = mapped_;
  allocate(32 - shift_ + 1);
  used_[0] = used_[1] = 0;
  for (std::size_t i = 0; i < old_size; ++i) {
    if (!old[i].free()) add(old[i].key, old[i].hash, old[i].count);
  }
  ::munmap(old, old_bytes);
}

void ShortTable::add(const Key& key, std::uint32_t hash, std::uint64_t count) {
  const std::size_t half = size() / 2;
  const std::size_t base = (hash >> 31) != 0 ? half : 0;
  std::size_t at = hash >> shift_;
  // The other slot of the cache line comes next, then the next line.
  for (bool second = false; !slots_[at].free(); second = !second) {
    if (slots_[at].key == key) {
      slots_[at].count += count;
      return;
    }
    at ^= 1;
    if (second) at = base + ((at + 2) & (half - 1));
  }
  slots_[at] = Slot{key, count, hash, 0};
  ++used_[hash >> 31];
}

void ShortTable::merge_half(unsigned half, ShortTable& other, std::vector<Slot>& rest) {
  const std::size_t limit = size() / 2 / 8 * 7;
  const std::size_t begin = half * (other.size() / 2);
  for (std::size_t i = begin; i < begin + other.size() / 2; ++i) {
    const Slot& slot = other.slots_[i];
    if (slot.free()) continue;
    if (used_[half] < limit) {
      add(slot.key, slot.hash, slot.count);
    } else {
      rest.push_back(slot);
    }
  }
}

void LongTable::add(const char* text, std::size_t size, std::uint64_t count) {
  const std::uint64_t hash = hash_bytes(text, size);
  const std::size_t mask = index_.size() - 1;
  std::size_t at = hash & mask;
  for (; index_[at] != 0; at = (at + 1) & mask) {
    LongWord& word = words_[index_[at] - 1];
    if (word.hash == hash && word.size == size && std::memcmp(word.text, text, size) == 0) {
      word.count += count;
      return;
    }
  }
  words_.push_back({text, size, hash, count});
  index_[at] = static_cast<std::uint32_t>(words_.size());
  if (words_.size() > index_.size() / 2) grow();
}

void LongTable::grow() {
  std::vector<std::uint32_t> bigger(index_.size() * 4, 0);
  const std::size_t mask = bigger.size() - 1;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    std::size_t at = words_[i].hash & mask;
    while (bigger[at] != 0) at = (at + 1) & mask;
    bigger[at] = static_cast<std::uint32_t>(i + 1);
  }
  index_.swap(bigger);
}

}  // namespace floor_bench
