// The tables of the word-count floor: one for words of up to 16 bytes, one for the rest.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace floor_bench {

inline constexpr std::size_t kShortWord = 16;

// White space is what isspace() takes in the C locale.
inline bool is_white(unsigned char byte) { return byte == ' ' || (byte >= 9 && byte <= 13); }

// A word of up to 16 bytes, each xored with a blank and padded with zeros. No byte of a word is a
// blank, so a zero byte is always padding, and the zero key marks a free slot.
struct Key {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  bool operator==(const Key& other) const { return ((low ^ other.low) | (high ^ other.high)) == 0; }
};
inline constexpr std::uint64_t kBlanks = 0x2020202020202020U;

struct alignas(32) Slot {
  Key key;
  std::uint64_t count = 0;
  std::uint32_t hash = 0;
  std::uint32_t unused = 0;

  bool free() const { return (key.low | key.high) == 0; }
};

// Open addressing by the top bits of the hash. A probe sequence stays in its half of the table,
// so two threads can merge into one table, each in its own half. Frequent words come first and
// so get the slots where they are found at the first look.
class ShortTable {
 public:
  explicit ShortTable(unsigned bits) { allocate(bits); }
  ~ShortTable();
  ShortTable(const ShortTable&) = delete;
  ShortTable& operator=(const ShortTable&) = delete;

  Slot* slots() { return slots_; }
  const Slot* slots() const { return slots_; }
  unsigned shift() const { return shift_; }
  std::size_t size() const { return std::size_t{1} << (32 - shift_); }
  std::size_t used() const { return used_[0] + used_[1]; }

  // Makes room for this many new words, so that a batch of adds never has to move the table.
  // By halves, as the halves fill unevenly when words come in the order of their hashes.
  void reserve(std::size_t more) {
    while (std::max(used_[0], used_[1]) + more > size() / 16 * 5) grow();
  }

  // Adds to a word's count; the caller has reserved.
  void add(const Key& key, std::uint32_t hash, std::uint64_t count);

  // Adds the entries of half `half` of another table. What does not fit goes to `rest`.
  void merge_half(unsigned half, ShortTable& other, std::vector<Slot>& rest);

 private:
  void allocate(unsigned bits);
  void grow();

  Slot* slots_ = nullptr;
  std::size_t mapped_ = 0;
  unsigned shift_ = 0;
  std::size_t used_[2] = {0, 0};
};

struct LongWord {
  const char* text;
  std::size_t size;
  std::uint64_t hash;
  std::uint64_t count;
};

// Words longer than a key. Their bytes stay where they are in the mapped file.
class LongTable {
 public:
  LongTable() : index_(64, 0) {}
  void add(const char* text, std::size_t size, std::uint64_t count = 1);
  const std::vector<LongWord>& words() const { return words_; }

 private:
  void grow();

  std::vector<LongWord> words_;
  std::vector<std::uint32_t> index_;  // word number plus one; zero is free
};

}  // namespace floor_bench
