#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstring>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/codec/bounded_archive.hpp>

// Which types are copied byte by byte, and how.

namespace muster::detail {

template <class... T>
struct TypeList {};

/// The standard types whose encoding is laid down here or by cereal, with what they are made of.
template <class T>
struct Standard {};

template <class... T>
struct MadeOf {
  using Parts = TypeList<T...>;
};

template <>
struct Standard<std::monostate> : MadeOf<> {};
template <class C, class T, class A>
struct Standard<std::basic_string<C, T, A>> : MadeOf<C> {};
template <class T, class A>
struct Standard<std::vector<T, A>> : MadeOf<T> {};
template <class T, std::size_t n>
struct Standard<std::array<T, n>> : MadeOf<T> {};
template <class A, class B>
struct Standard<std::pair<A, B>> : MadeOf<std::remove_const_t<A>, std::remove_const_t<B>> {};
template <class... T>
struct Standard<std::tuple<T...>> : MadeOf<std::remove_const_t<T>...> {};
template <class T>
struct Standard<std::optional<T>> : MadeOf<T> {};
template <class... T>
struct Standard<std::variant<T...>> : MadeOf<T...> {};
template <class R, class P>
struct Standard<std::chrono::duration<R, P>> : MadeOf<R> {};
template <class C, class D>
struct Standard<std::chrono::time_point<C, D>> : MadeOf<D> {};

template <class T>
inline constexpr bool is_standard = requires {
  typename Standard<T>::Parts;
};

/// std::bitset without its header. (Bits beyond its size must be zero, so it is not copied
/// blindly.)
template <class T>
inline constexpr bool is_bitset = requires(const T& bits) {
  bits.to_ullong();
  bits.to_ulong();
};

// Functions of free form named save are looked for with archives of no other use: for OutputArchive
// the one below would be found, which is there for types that have none.
class ProbeOutput : public cereal::OutputArchive<ProbeOutput> {};
class ProbeInput : public cereal::InputArchive<ProbeInput> {};

}  // namespace muster::detail

CEREAL_SETUP_ARCHIVE_TRAITS(muster::detail::ProbeInput, muster::detail::ProbeOutput);

namespace muster::detail {

template <class T, class Out = OutputArchive>
inline constexpr bool has_cereal_functions =
    cereal::traits::has_member_serialize<T, Out>::value ||
    cereal::traits::has_member_versioned_serialize<T, Out>::value ||
    cereal::traits::has_member_save<T, Out>::value ||
    cereal::traits::has_member_versioned_save<T, Out>::value ||
    cereal::traits::has_member_save_minimal<T, Out>::value ||
    cereal::traits::has_member_versioned_save_minimal<T, Out>::value ||
    cereal::traits::has_non_member_serialize<T, Out>::value ||
    cereal::traits::has_non_member_versioned_serialize<T, Out>::value ||
    cereal::traits::has_non_member_save<T, ProbeOutput>::value ||
    cereal::traits::has_non_member_versioned_save<T, ProbeOutput>::value ||
    cereal::traits::has_non_member_save_minimal<T, Out>::value ||
    cereal::traits::has_non_member_versioned_save_minimal<T, Out>::value;

template <class T>
constexpr bool is_flat_class() {
  if constexpr (!(std::is_class_v<T> || std::is_union_v<T>)) {
    return false;
  } else if constexpr (is_standard<T> || is_bitset<T> || is_wrapper<T>) {
    return false;
  } else if constexpr (!std::is_trivially_copyable_v<T> || !std::move_constructible<T>) {
    return false;
  } else {
    return !has_cereal_functions<T>;
  }
}

/// A class or union that is copied byte by byte: trivially copyable, without cereal functions, and
/// not one of the standard's.
template <class T>
concept FlatClass = is_flat_class<T>();

/// An object within which others may lie to any depth: of a class with cereal functions.
template <class T>
inline constexpr bool is_nesting =
    std::is_class_v<T> && !is_standard<T> && !is_bitset<T> && !is_wrapper<T> && !FlatClass<T>;

template <class T>
constexpr bool is_bool_like() {
  if constexpr (std::is_enum_v<T>) return std::is_same_v<std::underlying_type_t<T>, bool>;
  return std::is_same_v<T, bool>;
}

template <class T>
struct FlatStandard : std::is_same<T, std::monostate> {};

template <class T>
constexpr bool decide_flat() {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return true;
  } else if constexpr (std::is_class_v<T> || std::is_union_v<T>) {
    return FlatStandard<T>::value || FlatClass<T>;
  } else {
    // What is left: __int128 and the like.
    return std::is_trivially_copyable_v<T> && std::is_object_v<T> && !std::is_array_v<T> &&
           !std::is_pointer_v<T> && !std::is_member_pointer_v<T> && !std::is_null_pointer_v<T>;
  }
}

/// T travels as a copy of its sizeof(T) bytes; no code of the user runs. Of truth values the byte
/// is checked, everything else is taken as it comes.
template <class T>
inline constexpr bool is_flat = decide_flat<std::remove_cv_t<T>>();

/// Flat, and no byte needs a check: whole arrays of it are copied at once.
template <class T>
inline constexpr bool is_raw = is_flat<T> && !is_bool_like<T>();

template <class T, std::size_t n>
struct FlatStandard<std::array<T, n>> : std::bool_constant<is_raw<T>> {};
template <class R, class P>
struct FlatStandard<std::chrono::duration<R, P>> : std::bool_constant<is_raw<R>> {};
template <class C, class D>
struct FlatStandard<std::chrono::time_point<C, D>> : std::bool_constant<is_raw<D>> {};

template <class T>
requires is_flat<T> T read_flat(ByteReader& in) {
  if constexpr (std::is_same_v<T, bool>) {
    return in.fixed<bool>();
  } else if constexpr (is_bool_like<T>()) {
    return static_cast<T>(in.fixed<bool>());
  } else if constexpr (std::is_trivially_default_constructible_v<T>) {
    T value;
    std::memcpy(&value, in.take(sizeof(T)).data(), sizeof(T));
    return value;
  } else {
    std::array<char, sizeof(T)> raw;
    std::memcpy(raw.data(), in.take(sizeof(T)).data(), sizeof(T));
    return std::bit_cast<T>(raw);
  }
}

/// Reads the size of a container and checks that as many elements of this size can follow.
inline std::size_t read_count(ByteReader& in, std::size_t element_bytes_min) {
  const auto count = in.fixed<std::uint64_t>();
  if (count > in.remaining() / element_bytes_min)
    in.fail("a size exceeds the bytes that follow it");
  return static_cast<std::size_t>(count);
}

template <class Char, class Traits, class A>
void read_string(ByteReader& in, std::basic_string<Char, Traits, A>& out) {
  const std::size_t count = read_count(in, sizeof(Char));
  const std::string_view raw = in.take(count * sizeof(Char));
  if constexpr (std::is_same_v<Char, char>) {
    out.assign(raw.data(), raw.size());
  } else {
    out.resize(count);
    if (count > 0) std::memcpy(out.data(), raw.data(), raw.size());
  }
}

template <class T, class A>
requires is_raw<T>
void read_raw_vector(ByteReader& in, std::vector<T, A>& out) {
  const std::size_t count = read_count(in, sizeof(T));
  out.clear();
  if constexpr (std::is_trivially_default_constructible_v<T>) {
    // Where the bytes happen to be aligned, they are copied without being made zero before.
    if (reinterpret_cast<std::uintptr_t>(in.peek()) % alignof(T) == 0) {
      const auto* from = reinterpret_cast<const T*>(in.take(count * sizeof(T)).data());
      out.assign(from, from + count);
    } else {
      out.resize(count);
      const std::string_view raw = in.take(count * sizeof(T));
      if (count > 0) std::memcpy(out.data(), raw.data(), raw.size());
    }
  } else {
    out.reserve(count);
    for (std::size_t i = 0; i < count; ++i) out.push_back(read_flat<T>(in));
  }
}

/// Walks over the strings before it takes memory for any, so that false sizes cost nothing.
template <class A>
void read_strings(ByteReader& in, std::vector<std::string, A>& out) {
  const std::size_t count = read_count(in, sizeof(std::uint64_t));
  ByteReader ahead = in;
  for (std::size_t i = 0; i < count; ++i) ahead.take(read_count(ahead, 1));
  out.clear();
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) out.emplace_back(in.take(read_count(in, 1)));
}

}  // namespace muster::detail
