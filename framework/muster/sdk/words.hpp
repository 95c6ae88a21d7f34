#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string_view>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace muster {

/// Classes of bytes that make up the runs which for_each_run() finds.
namespace char_class {

/// Everything but ASCII white space (9 to 13 and 32), as `tr '[:space:]'` has it under LC_ALL=C.
struct NotSpace {
  /// Is the byte one of them?
  static constexpr bool contains(unsigned char c) noexcept {
    return c != ' ' && static_cast<unsigned char>(c - 9U) > 4U;
  }
#if defined(__x86_64__)
  __attribute__((target("avx512bw"))) static std::uint64_t mask(__m512i bytes) noexcept {
    const __mmask64 blank = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' '));
    const __mmask64 control =
        _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8(9)), _mm512_set1_epi8(4));
    return ~(blank | control);
  }
  static __m128i mask(__m128i bytes) noexcept {
    const __m128i blank = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' '));
    const __m128i from_tab = _mm_sub_epi8(bytes, _mm_set1_epi8(9));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(from_tab, _mm_set1_epi8(4)), from_tab);
    return _mm_xor_si128(_mm_or_si128(blank, control), _mm_set1_epi8(-1));
  }
#endif
};

/// ASCII letters.
struct Letter {
  /// Is the byte one of them?
  static constexpr bool contains(unsigned char c) noexcept {
    return static_cast<unsigned char>((c | 0x20U) - 'a') < 26U;
  }
#if defined(__x86_64__)
  __attribute__((target("avx512bw"))) static std::uint64_t mask(__m512i bytes) noexcept {
    const __m512i folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
    return _mm512_cmple_epu8_mask(_mm512_sub_epi8(folded, _mm512_set1_epi8('a')),
                                  _mm512_set1_epi8(25));
  }
  static __m128i mask(__m128i bytes) noexcept {
    const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i from_a = _mm_sub_epi8(folded, _mm_set1_epi8('a'));
    return _mm_cmpeq_epi8(_mm_min_epu8(from_a, _mm_set1_epi8(25)), from_a);
  }
#endif
};

}  // namespace char_class

namespace detail {

// Finds runs in masks of 64 bytes at a time; bit i of a mask stands for byte i.
template <class Visit>
class RunFinder {
 public:
  explicit RunFinder(Visit& visit) : visit_(visit) {}

  [[gnu::always_inline]] void feed(std::uint64_t mask, const char* base) {
    // A bit where a run starts or ends: where a byte differs in class from the one before it.
    std::uint64_t edges = mask ^ ((mask << 1U) | (start_ != nullptr ? 1U : 0U));
    if (start_ != nullptr && edges != 0) {
      end_run(base, edges);
    }
    while (edges != 0) {
      start_ = base + std::countr_zero(edges);
      edges &= edges - 1;
      if (edges == 0) return;
      end_run(base, edges);
    }
  }

  void finish(const char* end) {
    if (start_ != nullptr) visit_(std::string_view(start_, static_cast<std::size_t>(end - start_)));
  }

 private:
  [[gnu::always_inline]] void end_run(const char* base, std::uint64_t& edges) {
    const char* end = base + std::countr_zero(edges);
    edges &= edges - 1;
    visit_(std::string_view(start_, static_cast<std::size_t>(end - start_)));
    start_ = nullptr;
  }

  Visit& visit_;
  const char* start_ = nullptr;
};

template <class Class>
std::uint64_t scalar_mask(const char* data, std::size_t size) noexcept {
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const bool in = Class::contains(static_cast<unsigned char>(data[i]));
    mask |= static_cast<std::uint64_t>(in) << i;
  }
  return mask;
}

#if defined(__x86_64__)
template <class Class>
std::uint64_t sse2_mask(const char* data) noexcept {
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i * 16));
    const auto bits = static_cast<std::uint16_t>(_mm_movemask_epi8(Class::mask(bytes)));
    mask |= static_cast<std::uint64_t>(bits) << (i * 16);
  }
  return mask;
}

template <class Class, class Visit>
__attribute__((target("avx512bw,avx512f,bmi,bmi2"))) void runs_avx512(std::string_view text,
                                                                      Visit& visit) {
  RunFinder<Visit> finder(visit);
  const char* at = text.data();
  const char* const end = at + text.size();
  for (; end - at >= 64; at += 64) {
    finder.feed(Class::mask(_mm512_loadu_si512(at)), at);
  }
  finder.feed(scalar_mask<Class>(at, static_cast<std::size_t>(end - at)), at);
  finder.finish(end);
}
#endif

template <class Class, class Visit>
void runs_portable(std::string_view text, Visit& visit) {
  RunFinder<Visit> finder(visit);
  const char* at = text.data();
  const char* const end = at + text.size();
  for (; end - at >= 64; at += 64) {
#if defined(__x86_64__)
    finder.feed(sse2_mask<Class>(at), at);
#else
    finder.feed(scalar_mask<Class>(at, 64), at);
#endif
  }
  finder.feed(scalar_mask<Class>(at, static_cast<std::size_t>(end - at)), at);
  finder.finish(end);
}

}  // namespace detail

/// Calls visit(std::string_view) for each maximal run of bytes of a class, in order. Uses AVX-512
/// where the processor has it, chosen at run time. Thread-safe; throws what visit throws.
template <class Class, class Visit>
void for_each_run(std::string_view text, Visit&& visit) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bw")) {
    detail::runs_avx512<Class>(text, visit);
    return;
  }
#endif
  detail::runs_portable<Class>(text, visit);
}

/// The white-space-separated words of a text, as a range of views into it.
class words {
 public:
  class iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    iterator() = default;
    explicit iterator(std::string_view rest) : rest_(rest) { advance(); }

    std::string_view operator*() const noexcept { return word_; }
    iterator& operator++() {
      advance();
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      advance();
      return before;
    }
    friend bool operator==(const iterator& a, const iterator& b) noexcept {
      return a.word_.data() == b.word_.data() && a.word_.size() == b.word_.size();
    }

   private:
    void advance() noexcept {
      std::size_t begin = 0;
      while (begin < rest_.size() && !in_word(begin)) ++begin;
      std::size_t end = begin;
      while (end < rest_.size() && in_word(end)) ++end;
      word_ = begin == end ? std::string_view() : rest_.substr(begin, end - begin);
      rest_.remove_prefix(end);
    }
    bool in_word(std::size_t at) const noexcept {
      return char_class::NotSpace::contains(static_cast<unsigned char>(rest_[at]));
    }

    std::string_view rest_;
    std::string_view word_;
  };

  /// The text must outlive the range and its words.
  explicit words(std::string_view text) : text_(text) {}
  /// Forward iterators, whose values are std::string_view.
  iterator begin() const { return iterator(text_); }
  /// Behind the last word.
  iterator end() const { return {}; }

 private:
  std::string_view text_;
};

}  // namespace muster
