#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <muster/base/error.hpp>

namespace muster {

static_assert(std::endian::native == std::endian::little,
              "encoded integers are copied as they lie in memory");

using Bytes = std::string;  ///< owned bytes; a string, so that small ones need no allocation

/// Appends fixed-width little-endian integers, varints and length-prefixed strings to a buffer.
/// Not thread-safe. Never throws but for lack of memory.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  template <class T>
  void fixed(T value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    out_.append(raw, sizeof(T));
  }

  /// LEB128: 7 bits a byte, least significant first; at most 10 bytes.
  void varint(std::uint64_t value) {
    while (value >= 0x80U) {
      out_.push_back(static_cast<char>(value | 0x80U));
      value >>= 7U;
    }
    out_.push_back(static_cast<char>(value));
  }

  void string(std::string_view text) {
    varint(text.size());
    out_.append(text);
  }

 private:
  Bytes& out_;
};

/// Reads what ByteWriter wrote. Every read is checked against the bytes that remain; one that does
/// not fit throws Error(corrupt) and names `what`. Views returned point into the input.
class ByteReader {
 public:
  explicit ByteReader(std::string_view in, const char* what = "message") : in_(in), what_(what) {}

  bool empty() const noexcept { return in_.empty(); }
  std::size_t remaining() const noexcept { return in_.size(); }
  const char* peek() const noexcept { return in_.data(); }  ///< where the next read starts

  template <class T>
  T fixed() {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    const std::string_view raw = take(sizeof(T));
    if constexpr (std::is_same_v<T, bool>) {
      if (raw[0] != 0 && raw[0] != 1) fail("a truth value is neither 0 nor 1");
      return raw[0] == 1;
    } else {
      T value;
      std::memcpy(&value, raw.data(), sizeof(T));
      return value;
    }
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64U; shift += 7U) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      if (shift == 63U && byte > 1) fail("a varint does not fit into 64 bits");
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    fail("a varint is longer than 10 bytes");
  }

  std::string_view string() { return take(varint()); }

  std::string_view take(std::uint64_t size) {
    if (size > in_.size()) fail("it ends early");
    const std::string_view out = in_.substr(0, size);
    in_.remove_prefix(size);
    return out;
  }

  /// Throws unless everything was read.
  void finish() const {
    if (!in_.empty()) fail("bytes follow its end");
  }

  /// Throws Error(corrupt), "<what> cannot be decoded: <why>". For decoders on top of this one.
  [[noreturn]] void fail(const char* why) const {
    throw Error(ErrorCode::corrupt, std::string(what_) + " cannot be decoded: " + why);
  }

 private:
  std::string_view in_;
  const char* what_;
};

}  // namespace muster
