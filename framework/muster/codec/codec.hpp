#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/base/bytes.hpp>

namespace muster {

/// How keys and values of type T travel: `encode` appends, `decode` reads back the same value and
/// throws Error(corrupt) if the bytes do not hold one. Encodings are self-delimiting, and equal
/// values have equal encodings, so that encoded keys can be hashed and compared as bytes.
///
/// Provided for integers, enums, float, double, strings, pairs, tuples and vectors of such;
/// specialise it for a type of your own. Stateless and thread-safe.
///
/// Not how arguments and results of calls travel: those need no equal bytes but any type, and the
/// library links cereal for them, which plugins must not need. See message.hpp.
template <class T>
struct Codec;

/// T has a Codec: it can be a key or a value of a task.
template <class T>
concept Encodable = requires(Bytes& out, const T& value, ByteReader& in) {
  Codec<T>::encode(out, value);
  { Codec<T>::decode(in) } -> std::convertible_to<T>;
};

/// Integers: variable length, small ones short; single bytes as they are.
template <std::integral T>
struct Codec<T> {
  /// Appends 1 to 10 bytes.
  static void encode(Bytes& out, T value) {
    if constexpr (sizeof(T) == 1) {
      out.push_back(static_cast<char>(value));
    } else if constexpr (std::is_signed_v<T>) {
      // Zigzag, so that small negative numbers are short as well.
      const auto wide = static_cast<std::int64_t>(value);
      ByteWriter(out).varint((static_cast<std::uint64_t>(wide) << 1U) ^
                             static_cast<std::uint64_t>(wide >> 63));
    } else {
      ByteWriter(out).varint(value);
    }
  }
  /// Throws Error(corrupt) also for a number that does not fit into T.
  static T decode(ByteReader& in) {
    if constexpr (std::same_as<T, bool>) {
      return in.fixed<bool>();
    } else if constexpr (sizeof(T) == 1) {
      return static_cast<T>(in.take(1)[0]);
    } else if constexpr (std::is_signed_v<T>) {
      const std::uint64_t raw = in.varint();
      return narrowed(static_cast<std::int64_t>((raw >> 1U) ^ (~(raw & 1U) + 1U)));
    } else {
      return narrowed(in.varint());
    }
  }

 private:
  template <class Wide>
  static T narrowed(Wide value) {
    const auto narrow = static_cast<T>(value);
    if (static_cast<Wide>(narrow) != value) {
      throw Error(ErrorCode::corrupt, "an encoded number does not fit into its type");
    }
    return narrow;
  }
};

/// Floating point and enums: their bytes. long double has padding bytes and no portable size, so
/// it has no codec.
template <class T>
requires std::same_as<T, float> || std::same_as<T, double> || std::is_enum_v<T>
struct Codec<T> {
  /// Appends sizeof(T) bytes.
  static void encode(Bytes& out, T value) {
    // Negative zero equals zero, so it is encoded as zero.
    if constexpr (std::floating_point<T>) value = value == 0 ? T{0} : value;
    ByteWriter(out).fixed(value);
  }
  /// Throws Error(corrupt) if the bytes end too early.
  static T decode(ByteReader& in) { return in.fixed<T>(); }
};

template <>
struct Codec<std::string> {
  static void encode(Bytes& out, std::string_view value) { ByteWriter(out).string(value); }
  static std::string decode(ByteReader& in) { return std::string(in.string()); }
};

template <class A, class B>
struct Codec<std::pair<A, B>> {
  static void encode(Bytes& out, const std::pair<A, B>& value) {
    Codec<A>::encode(out, value.first);
    Codec<B>::encode(out, value.second);
  }
  static std::pair<A, B> decode(ByteReader& in) {
    A first = Codec<A>::decode(in);
    B second = Codec<B>::decode(in);
    return {std::move(first), std::move(second)};
  }
};

template <class... T>
struct Codec<std::tuple<T...>> {
  static void encode(Bytes& out, const std::tuple<T...>& value) {
    std::apply([&](const T&... each) { (Codec<T>::encode(out, each), ...); }, value);
  }
  static std::tuple<T...> decode(ByteReader& in) {
    return std::tuple<T...>{Codec<T>::decode(in)...};  // braces: left to right
  }
};

template <class T>
struct Codec<std::vector<T>> {
  static void encode(Bytes& out, const std::vector<T>& values) {
    ByteWriter(out).varint(values.size());
    for (const T& each : values) Codec<T>::encode(out, each);
  }
  static std::vector<T> decode(ByteReader& in) {
    const std::uint64_t count = in.varint();
    std::vector<T> out;
    // Every element takes a byte at least, so a false count cannot make this allocate much.
    out.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(count, in.remaining())));
    for (std::uint64_t i = 0; i < count; ++i) out.push_back(Codec<T>::decode(in));
    return out;
  }
};

}  // namespace muster
