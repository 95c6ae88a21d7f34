#include <algorithm>
#include <bit>
#include <cstddef>

#include <muster/base/assert.hpp>
#include <muster/scheduling/chunk_set.hpp>

namespace muster::scheduling {
namespace {

constexpr std::uint32_t word_bits = 64;

std::uint64_t bit(std::uint32_t index) { return std::uint64_t{1} << (index % word_bits); }

void set_first_bits(std::vector<std::uint64_t>& words, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count / word_bits; ++i) words[i] = ~std::uint64_t{0};
  if (count % word_bits != 0) words[count / word_bits] = bit(count) - 1;
}

}  // namespace

ChunkSet::ChunkSet(std::uint32_t size) : size_(size) {
  std::uint32_t words = size;
  do {
    words = words / word_bits + (words % word_bits != 0 || words == 0 ? 1 : 0);
    levels_.emplace_back(words, 0);
  } while (words > 1);
}

void ChunkSet::grow(std::uint32_t size) {
  MUSTER_ASSERT(size >= size_);
  size_ = size;
  std::uint32_t members = size;
  for (std::size_t level = 0;; ++level) {
    const std::uint32_t words = std::max(1U, members / word_bits + (members % word_bits ? 1 : 0));
    if (level == levels_.size()) {
      // The one below had a single word so far, which says what this one's first bit is.
      levels_.emplace_back(words, 0);
      levels_[level].front() = levels_[level - 1].front() != 0 ? 1 : 0;
    } else {
      levels_[level].resize(words, 0);
    }
    if (words == 1) return;
    members = words;
  }
}

bool ChunkSet::contains(std::uint32_t chunk) const {
  MUSTER_ASSERT(chunk < size_);
  return (levels_.front()[chunk / word_bits] & bit(chunk)) != 0;
}

std::uint32_t ChunkSet::first() const {
  MUSTER_ASSERT(!empty());
  std::uint32_t index = 0;
  for (std::size_t level = levels_.size(); level-- > 0;) {
    const auto lowest = static_cast<std::uint32_t>(std::countr_zero(levels_[level][index]));
    index = index * word_bits + lowest;
  }
  return index;
}

void ChunkSet::insert(std::uint32_t chunk) {
  MUSTER_ASSERT(chunk < size_);
  std::uint32_t index = chunk;
  for (auto& level : levels_) {
    level[index / word_bits] |= bit(index);
    index /= word_bits;
  }
}

void ChunkSet::erase(std::uint32_t chunk) {
  MUSTER_ASSERT(chunk < size_);
  std::uint32_t index = chunk;
  for (auto& level : levels_) {
    std::uint64_t& word = level[index / word_bits];
    word &= ~bit(index);
    if (word != 0) return;
    index /= word_bits;
  }
}

void ChunkSet::fill() {
  std::uint32_t count = size_;
  for (auto& level : levels_) {
    set_first_bits(level, count);
    count = static_cast<std::uint32_t>(level.size());
    if (size_ == 0) return;
  }
}

}  // namespace muster::scheduling
