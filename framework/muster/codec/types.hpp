#pragma once

// clang-format off: this one first, because it configures cereal
#include <muster/codec/archive.hpp>
// clang-format on

#include <bitset>
#include <complex>
#include <deque>
#include <list>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <cereal/types/complex.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/unordered_set.hpp>

/// More types for the archives: maps, sets, deques, lists, std::complex and std::bitset. A header
/// of its own because it costs every file that includes it compile time.

namespace muster {
namespace detail {

template <class T, class A>
struct Standard<std::deque<T, A>> : MadeOf<T> {};
template <class T, class A>
struct Standard<std::list<T, A>> : MadeOf<T> {};
template <class K, class... Rest>
struct Standard<std::set<K, Rest...>> : MadeOf<K> {};
template <class K, class... Rest>
struct Standard<std::multiset<K, Rest...>> : MadeOf<K> {};
template <class K, class... Rest>
struct Standard<std::unordered_set<K, Rest...>> : MadeOf<K> {};
template <class K, class... Rest>
struct Standard<std::unordered_multiset<K, Rest...>> : MadeOf<K> {};
template <class K, class V, class... Rest>
struct Standard<std::map<K, V, Rest...>> : MadeOf<K, V> {};
template <class K, class V, class... Rest>
struct Standard<std::multimap<K, V, Rest...>> : MadeOf<K, V> {};
template <class K, class V, class... Rest>
struct Standard<std::unordered_map<K, V, Rest...>> : MadeOf<K, V> {};
template <class K, class V, class... Rest>
struct Standard<std::unordered_multimap<K, V, Rest...>> : MadeOf<K, V> {};
template <std::size_t n>
struct Standard<std::bitset<n>> : MadeOf<> {};

template <class T>
struct Standard<std::complex<T>> : MadeOf<T> {};
template <class T>
struct FlatStandard<std::complex<T>> : std::bool_constant<is_raw<T>> {};

template <class Container>
void load_grown(InputArchive& in, Container& out) {
  const std::size_t count = in.read_count();
  out.clear();
  for (std::size_t i = 0; i < count; ++i) in(out.emplace_back());
}

template <class Set>
void load_hashed(InputArchive& in, Set& out) {
  const std::size_t count = in.read_count();
  out.clear();
  out.reserve(in.reservable(count, 2 * sizeof(void*)));  // rounded up to the next prime
  for (std::size_t i = 0; i < count; ++i) {
    typename Set::key_type key{};
    in(key);
    out.insert(std::move(key));
  }
}

}  // namespace detail

// Functions that the archives call, not for users. Those that load throw Error(corrupt) for bytes
// that do not hold such an object.
/// @cond

// Preferred to cereal's, which put equal keys before each other, so that their order is reversed.

template <class K, class V, class C, class A>
void load(InputArchive& in, std::multimap<K, V, C, A>& out) {
  const std::size_t count = in.read_count();
  out.clear();
  for (std::size_t i = 0; i < count; ++i) {
    K key{};
    V value{};
    in(key, value);
    out.emplace_hint(out.end(), std::move(key), std::move(value));
  }
}

template <class K, class C, class A>
void load(InputArchive& in, std::multiset<K, C, A>& out) {
  const std::size_t count = in.read_count();
  out.clear();
  for (std::size_t i = 0; i < count; ++i) {
    K key{};
    in(key);
    out.emplace_hint(out.end(), std::move(key));
  }
}

// Preferred to cereal's, which resize or reserve for whatever size is announced.

template <class T, class A>
void load(InputArchive& in, std::deque<T, A>& out) {
  detail::load_grown(in, out);
}

template <class T, class A>
void load(InputArchive& in, std::list<T, A>& out) {
  detail::load_grown(in, out);
}

template <class K, class H, class E, class A>
void load(InputArchive& in, std::unordered_set<K, H, E, A>& out) {
  detail::load_hashed(in, out);
}

template <class K, class H, class E, class A>
void load(InputArchive& in, std::unordered_multiset<K, H, E, A>& out) {
  detail::load_hashed(in, out);
}

// Not cereal's, which accepts digits other than 0 and 1 and then throws std::invalid_argument.
// Eight bits a byte, the first one least significant; bits beyond the size must be zero.

template <std::size_t n>
void save(OutputArchive& out, const std::bitset<n>& bits) {
  for (std::size_t from = 0; from < n; from += 8) {
    unsigned byte = 0;
    for (std::size_t i = from; i < n && i < from + 8; ++i) byte |= unsigned{bits[i]} << (i - from);
    out(static_cast<std::uint8_t>(byte));
  }
}

template <std::size_t n>
void load(InputArchive& in, std::bitset<n>& bits) {
  for (std::size_t from = 0; from < n; from += 8) {
    const unsigned byte = in.reader().fixed<std::uint8_t>();
    if (n - from < 8 && (byte >> (n - from)) != 0) in.reader().fail("a bit lies beyond its bitset");
    for (std::size_t i = from; i < n && i < from + 8; ++i)
      bits[i] = ((byte >> (i - from)) & 1U) != 0;
  }
}

/// @endcond

}  // namespace muster
