#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MUSTER_EXACT_LOADS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MUSTER_EXACT_LOADS 1
#endif
#endif
#ifndef MUSTER_EXACT_LOADS
#define MUSTER_EXACT_LOADS 0
#endif

namespace muster::mapreduce {

/// A key of up to 15 bytes as two machine words: the bytes, padded with zeros, and in the last
/// byte its length plus 1. So comparing two keys compares 128 bits, and all-zero is no key.
struct ShortKey {
  static constexpr std::size_t size_max = 15;

  std::uint64_t low;
  std::uint64_t high;

  bool empty() const noexcept { return high == 0; }
  /// The bytes, which lie in this object.
  std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(this), static_cast<std::size_t>(high >> 56U) - 1};
  }
  friend bool operator==(const ShortKey&, const ShortKey&) = default;
};
static_assert(sizeof(ShortKey) == 16);

namespace detail {

inline ShortKey load_exact(const char* data, std::size_t size) noexcept {
  ShortKey key{};
  char raw[16] = {};
  if (size != 0) std::memcpy(raw, data, size);
  std::memcpy(&key, raw, sizeof key);
  return key;
}

#if defined(__SSE2__)
alignas(32) inline constexpr unsigned char load_masks[32] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
#endif

}  // namespace detail

/// Makes a ShortKey of at most 15 bytes. It loads 16 bytes whatever the size, unless those reach
/// into another page: within a page a load past the end cannot fault, and the excess is masked.
/// Where nothing begins, nothing is loaded.
inline ShortKey make_short_key(std::string_view bytes) noexcept {
  ShortKey key{};
#if defined(__SSE2__)
  constexpr std::uintptr_t page = 4096;
  const bool within =
      !bytes.empty() && (reinterpret_cast<std::uintptr_t>(bytes.data()) % page) <= page - 16;
  if (MUSTER_EXACT_LOADS == 0 && within) [[likely]] {
    const char* data = bytes.data();
    // Hides where the bytes come from: the compiler would warn of the load past a short literal.
    asm("" : "+r"(data));
    const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data));
    const __m128i mask =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(detail::load_masks + 16 - bytes.size()));
    const __m128i kept = _mm_and_si128(raw, mask);
    std::memcpy(&key, &kept, sizeof key);
  } else {
    key = detail::load_exact(bytes.data(), bytes.size());
  }
#else
  key = detail::load_exact(bytes.data(), bytes.size());
#endif
  key.high |= static_cast<std::uint64_t>(bytes.size() + 1) << 56U;
  return key;
}

/// Two numbers that select a hash function. The map side and the reduce side use different ones,
/// so that keys which share a partition do not share a corner of the reducer's table.
struct HashSeed {
  std::uint64_t first;
  std::uint64_t second;
};
inline constexpr HashSeed map_seed{0xa0761d6478bd642fU, 0xe7037ed1a0b428dbU};
inline constexpr HashSeed reduce_seed{0x8ebc6af09c88c6e3U, 0x589965cc75374cc3U};

namespace detail {

// Folded 64x64-bit multiplication, the mixing step of wyhash (Wang Yi, public domain).
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

// mix() gives 0 whenever a is 0, whatever b is; the second product keeps such keys apart.
inline std::uint64_t scramble(std::uint64_t a, std::uint64_t b) noexcept {
  return mix(a, b) ^ (b * 0x9e3779b97f4a7c15U);
}

}  // namespace detail

inline std::uint64_t hash_key(const ShortKey& key, HashSeed seed) noexcept {
  return detail::scramble(key.low ^ seed.first, key.high ^ seed.second);
}

/// The hash of any bytes; for up to 15 of them the hash of their ShortKey.
inline std::uint64_t hash_bytes(std::string_view bytes, HashSeed seed) noexcept {
  if (bytes.size() <= ShortKey::size_max) return hash_key(make_short_key(bytes), seed);
  std::uint64_t state = detail::mix(bytes.size() ^ seed.first, seed.second);
  const char* data = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t words[2];
  for (; left > 16; data += 16, left -= 16) {
    std::memcpy(words, data, 16);
    state = detail::scramble(words[0] ^ seed.second, words[1] ^ state);
  }
  std::memcpy(words, bytes.data() + bytes.size() - 16, 16);  // may overlap what was read
  return detail::scramble(words[0] ^ seed.first, words[1] ^ state);
}

/// The partition, in [0, partitions), of a key whose hash with map_seed is `hash`.
inline std::uint32_t partition_of(std::uint64_t hash, std::uint32_t partitions) noexcept {
  return static_cast<std::uint32_t>(((hash >> 32U) * partitions) >> 32U);
}

}  // namespace muster::mapreduce
