#include "floor_count.hpp"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace floor_bench {

namespace {

constexpr std::uint64_t kMixer1 = 0x9e3779b97f4a7c15U;
constexpr std::uint64_t kMixer2 = 0xbf58476d1ce4e5b9U;

// Sixteen bytes read from kMask + 16 - n keep the first n bytes of a word.
alignas(64) constexpr std::array<std::uint8_t, 32> kMask = {255, 255, 255, 255, 255, 255, 255, 255,
                                                            255, 255, 255, 255, 255, 255, 255, 255};

// One bound at a time, for processors that cannot compress bytes.
inline void write_edges_by_bit(std::uint16_t* out, std::uint64_t changes, std::size_t at) {
  while (changes != 0) {
    *out++ = static_cast<std::uint16_t>(at + static_cast<std::size_t>(__builtin_ctzll(changes)));
    changes &= changes - 1;
  }
}

inline std::uint32_t hash_words(std::uint64_t low, std::uint64_t high) {
  std::uint64_t hash = (low ^ kMixer2) * kMixer1;
  hash = (hash ^ (hash >> 32) ^ high) * kMixer2;
  return static_cast<std::uint32_t>((hash ^ (hash >> 29)) * kMixer1 >> 32);
}

namespace scalar {

using Register = Key;

inline std::uint64_t white_bits(const char* text) {
  std::uint64_t bits = 0;
  for (unsigned i = 0; i < 64; ++i) {
    bits |= std::uint64_t{is_white(static_cast<unsigned char>(text[i]))} << i;
  }
  return bits;
}
inline void write_edges(std::uint16_t* out, std::uint64_t changes, std::size_t at) {
  write_edges_by_bit(out, changes, at);
}
inline Key load_key(const char* text, std::size_t size) {
  Key key;
  Key mask;
  std::memcpy(&key, text, sizeof key);
  std::memcpy(&mask, kMask.data() + kShortWord - size, sizeof mask);
  return {(key.low ^ kBlanks) & mask.low, (key.high ^ kBlanks) & mask.high};
}
inline std::uint32_t hash_key(const Key& key) { return hash_words(key.low, key.high); }
inline void store_key(Key* to, const Key& key) { *to = key; }
inline bool same(const Key* a, const Key* b) { return *a == *b; }

#include "floor_kernel.inc"

}  // namespace scalar

#if defined(__x86_64__)

#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,popcnt")

namespace avx2 {

using Register = __m128i;

inline std::uint32_t white_bits_32(const char* text) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
  const __m256i from_tab = _mm256_sub_epi8(bytes, _mm256_set1_epi8(9));
  const __m256i line = _mm256_cmpeq_epi8(_mm256_min_epu8(from_tab, _mm256_set1_epi8(4)), from_tab);
  const __m256i blank = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(' '));
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(line, blank)));
}
inline std::uint64_t white_bits(const char* text) {
  return white_bits_32(text) | std::uint64_t{white_bits_32(text + 32)} << 32;
}
inline void write_edges(std::uint16_t* out, std::uint64_t changes, std::size_t at) {
  write_edges_by_bit(out, changes, at);
}
inline __m128i load_key(const char* text, std::size_t size) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
  const __m128i mask =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(kMask.data() + kShortWord - size));
  return _mm_and_si128(_mm_xor_si128(bytes, _mm_set1_epi8(' ')), mask);
}
inline std::uint32_t hash_key(__m128i key) {
  return hash_words(static_cast<std::uint64_t>(_mm_cvtsi128_si64(key)),
                    static_cast<std::uint64_t>(_mm_extract_epi64(key, 1)));
}
inline void store_key(Key* to, __m128i key) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), key);
}
inline bool same(const Key* a, const Key* b) {
  const __m128i left = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
  const __m128i right = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
  const __m128i differ = _mm_xor_si128(left, right);
  return _mm_testz_si128(differ, differ) != 0;
}

#include "floor_kernel.inc"

}  // namespace avx2

#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC diagnostic push
// GCC 12's own header leaves a register undefined on purpose, and then warns of it.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512vbmi2,aes,bmi,bmi2,popcnt")

namespace avx512 {

using Register = __m128i;

inline std::uint64_t white_bits(const char* text) {
  const __m512i bytes = _mm512_loadu_si512(text);
  const __m512i from_tab = _mm512_sub_epi8(bytes, _mm512_set1_epi8(9));
  return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' ')) |
         _mm512_cmple_epu8_mask(from_tab, _mm512_set1_epi8(4));
}

// Compresses the byte numbers 0..63 by the changes, and widens them to positions.
inline void write_edges(std::uint16_t* out, std::uint64_t changes, std::size_t at) {
  const __m512i numbers = _mm512_set_epi64(
      0x3f3e3d3c3b3a3938, 0x3736353433323130, 0x2f2e2d2c2b2a2928, 0x2726252423222120,
      0x1f1e1d1c1b1a1918, 0x1716151413121110, 0x0f0e0d0c0b0a0908, 0x0706050403020100);
  const __m512i picked = _mm512_maskz_compress_epi8(changes, numbers);
  const __m512i base = _mm512_set1_epi16(static_cast<std::int16_t>(at));
  const __m512i first = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(picked));
  _mm512_storeu_si512(out, _mm512_add_epi16(base, first));
  if (__builtin_expect(__builtin_popcountll(changes) > 32, 0)) {
    const __m512i second = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(picked, 1));
    _mm512_storeu_si512(out + 32, _mm512_add_epi16(base, second));
  }
}
inline __m128i load_key(const char* text, std::size_t size) { return avx2::load_key(text, size); }
// After two AES rounds every byte of the key has reached the low 32 bits.
inline std::uint32_t hash_key(__m128i key) {
  const __m128i round1 = _mm_set_epi64x(static_cast<long long>(kMixer1), 0x3f58476d1ce4e5b9);
  const __m128i round2 = _mm_set_epi64x(0x14d049bb133111eb, static_cast<long long>(kMixer2));
  key = _mm_aesenc_si128(_mm_aesenc_si128(key, round1), round2);
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(key));
}
inline void store_key(Key* to, __m128i key) { avx2::store_key(to, key); }
inline bool same(const Key* a, const Key* b) { return avx2::same(a, b); }

#include "floor_kernel.inc"

}  // namespace avx512

#pragma GCC diagnostic pop
#pragma GCC pop_options

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("popcnt");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("aes");
}

#endif

}  // namespace

CountFunction find_kernel(std::string_view name) {
#if defined(__x86_64__)
  if ((name.empty() || name == "avx512") && has_avx512()) return avx512::count;
  if ((name.empty() || name == "avx2") && has_avx2()) return avx2::count;
#endif
  return name.empty() || name == "scalar" ? scalar::count : nullptr;
}

}  // namespace floor_bench
