// Counting the words of one piece of text, with the widest instructions the processor has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "floor_table.hpp"

namespace floor_bench {

// A chunk is tokenized, its keys are hashed and their slots prefetched, then they are counted.
// 2 KiB is some 330 words: enough to hide a cache miss, and what they touch stays in the L1 cache.
inline constexpr std::size_t kChunk = 2048;

struct Worker {
  explicit Worker(unsigned bits) : table(bits) {}

  ShortTable table;
  LongTable long_words;
  std::uint64_t tokens = 0;

  alignas(64) std::array<std::uint16_t, kChunk + 128> edges;  // a word's start, its end, a start...
  alignas(64) std::array<Key, kChunk / 2 + 64> keys;
  std::array<std::uint32_t, kChunk / 2 + 64> hashes;
};

// Counts the words of [begin, end), which starts and ends at word bounds. 64 bytes after `end`
// must be readable.
using CountFunction = void (*)(Worker& worker, const char* begin, const char* end);

// The kernel of this name (avx512, avx2, scalar), or the best one when it is empty; null when this
// processor cannot run it.
CountFunction find_kernel(std::string_view name);

}  // namespace floor_bench
