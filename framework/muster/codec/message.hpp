#pragma once

#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/codec/archive.hpp>
#include <muster/codec/sendable.hpp>

/// How arguments and results travel between processes.
///
/// Two codecs, for two purposes. Codec<T> (codec.hpp) is for keys and values of map-reduce: it is
/// part of plugins, so it needs no library; it is as short as possible, because there are millions;
/// and equal values have equal bytes, because encoded keys are hashed and compared. This one is for
/// whole arguments and results of calls: any type that people want to send, through cereal, with
/// sizes of fixed width and whole arrays copied at once. Its bytes live as long as the call, are no
/// file format, and say nothing about equality (padding is copied too).

namespace muster::detail {

template <class T>
inline constexpr bool is_raw_vector = false;
template <class T, class A>
inline constexpr bool is_raw_vector<std::vector<T, A>> = is_raw<T>;

template <class T>
inline constexpr bool is_string_vector = false;
template <class A>
inline constexpr bool is_string_vector<std::vector<std::string, A>> = true;

/// About how many bytes encode_message() will append: exact for flat types, strings, vectors of
/// such, pairs and tuples of them; a guess for the rest.
template <Sendable T>
std::size_t message_size_hint(const T& value) {
  if constexpr (is_flat<T>) {
    return sizeof(T);
  } else if constexpr (is_element_wise<T>) {
    return std::apply(
        [](const auto&... part) { return (std::size_t{0} + ... + message_size_hint(part)); },
        value);
  } else if constexpr (is_string_vector<T>) {
    std::size_t out = sizeof(std::uint64_t);
    for (const std::string& each : value) out += sizeof(std::uint64_t) + each.size();
    return out;
  } else if constexpr (requires {
                         typename T::value_type;
                         value.size();
                       }) {
    return sizeof(std::uint64_t) + value.size() * sizeof(typename T::value_type);
  } else {
    return sizeof(T);
  }
}

/// Appends `value`. May throw what the value's own functions throw, Error(limit) and Error(usage)
/// as OutputArchive does, and std::bad_alloc; `out` then ends with a part of the value. Reserves
/// nothing: see message_size_hint(). Thread-safe as far as `value` may be read.
template <Sendable T>
void encode_message(Bytes& out, const T& value) {
  if constexpr (is_flat<T>) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(T));
  } else if constexpr (is_element_wise<T>) {
    std::apply([&](const auto&... part) { (encode_message(out, part), ...); }, value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    ByteWriter(out).fixed(std::uint64_t{value.size()});
    out.append(value);
  } else if constexpr (is_raw_vector<T>) {
    ByteWriter(out).fixed(std::uint64_t{value.size()});
    out.append(reinterpret_cast<const char*>(value.data()),
               value.size() * sizeof(typename T::value_type));
  } else if constexpr (is_string_vector<T>) {
    ByteWriter(out).fixed(std::uint64_t{value.size()});
    for (const std::string& each : value) encode_message(out, each);
  } else {
    OutputArchive archive(out);
    archive(value);
    archive.finish();
  }
}

template <Sendable T>
T decode_message(ByteReader& in);

template <class T>
struct PartsDecoder;
template <class A, class B>
struct PartsDecoder<std::pair<A, B>> {
  static std::pair<A, B> decode(ByteReader& in) {
    return std::pair<A, B>{decode_message<std::remove_const_t<A>>(in),
                           decode_message<std::remove_const_t<B>>(in)};  // braces: left to right
  }
};
template <class... T>
struct PartsDecoder<std::tuple<T...>> {
  static std::tuple<T...> decode(ByteReader& in) {
    return std::tuple<T...>{decode_message<std::remove_const_t<T>>(in)...};
  }
};

/// Reads what encode_message() appended and leaves `in` behind it. The bytes may come from anybody:
/// throws Error(corrupt) if they do not hold a T, or what the value's own functions throw; see
/// InputArchive for what is refused and how much memory is taken.
template <Sendable T>
T decode_message(ByteReader& in) {
  if constexpr (is_flat<T>) {
    return read_flat<T>(in);
  } else if constexpr (is_element_wise<T>) {
    return PartsDecoder<T>::decode(in);
  } else {
    T out{};
    if constexpr (std::is_same_v<T, std::string>) {
      read_string(in, out);
    } else if constexpr (is_raw_vector<T>) {
      read_raw_vector(in, out);
    } else if constexpr (is_string_vector<T>) {
      read_strings(in, out);
    } else {
      try {
        InputArchive archive(in);
        archive(out);
      } catch (const cereal::Exception& error) {
        in.fail(error.what());
      }
    }
    return out;
  }
}

}  // namespace muster::detail
