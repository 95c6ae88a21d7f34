#pragma once

#include <cstdint>
#include <vector>

namespace muster::scheduling {

/// A set of chunk numbers below a size that knows its lowest member. Not thread-safe.
///
/// A bitmap with a summary over it, and a summary over that: a bit of a level says whether the word
/// of that number in the level below has any bit set. Rationale: a million ready chunks cost 127
/// KiB, all operations take log64(size) steps (4 for a million), and nothing is allocated but
/// when it is made or grows.
class ChunkSet {
 public:
  explicit ChunkSet(std::uint32_t size = 0);

  bool empty() const { return levels_.back().front() == 0; }
  bool contains(std::uint32_t chunk) const;
  std::uint32_t first() const;  ///< the lowest member; the set must not be empty

  void insert(std::uint32_t chunk);
  void erase(std::uint32_t chunk);
  void fill();                    ///< inserts every number below the size
  void grow(std::uint32_t size);  ///< to a larger size; keeps what is in it

 private:
  std::uint32_t size_;
  std::vector<std::vector<std::uint64_t>> levels_;  ///< the last one has a single word
};

}  // namespace muster::scheduling
