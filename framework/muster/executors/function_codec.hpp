#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

#include <muster/base/bytes.hpp>
#include <muster/executors/code_address.hpp>

namespace muster::detail {

/// Closures cannot be assigned to, and GCC 12 forgets at times that they are trivially copyable all
/// the same, so that this asks for less.
template <class F>
inline constexpr bool is_sendable_function =
    std::is_trivially_copy_constructible_v<F>&& std::is_trivially_destructible_v<F> &&
    (!std::is_pointer_v<F> || std::is_function_v<std::remove_pointer_t<F>>);

/// The most that any of these writes beyond the bytes of what it is given.
inline constexpr std::size_t function_bytes_extra = 64;

/// How what is called travels: as its bytes, which are its captures; the code is in every process
/// of the program. Where that lies differs between processes that are not forks of each other: so
/// addresses of functions travel as CodeAddress. Among a closure's captures they cannot be told
/// from numbers and are copied as they are. Specialised for what is made of other functions.
template <class F>
struct FunctionCodec {
  static void encode(Bytes& out, const F& function) {
    if constexpr (!std::is_empty_v<F>) {
      out.append(reinterpret_cast<const char*>(std::addressof(function)), sizeof(F));
    }
  }

  static F decode(ByteReader& in) {
    alignas(F) std::byte raw[sizeof(F)] = {};
    if constexpr (!std::is_empty_v<F>) std::memcpy(raw, in.take(sizeof(F)).data(), sizeof(F));
    return *std::launder(reinterpret_cast<const F*>(raw));
  }
};

template <class R, class... A>
struct FunctionCodec<R (*)(A...)> {
  using F = R (*)(A...);

  static void encode(Bytes& out, F function) {
    const CodeAddress address = code_address(reinterpret_cast<const void*>(function));
    ByteWriter writer(out);
    writer.fixed(address.module);
    writer.fixed(address.offset);
  }

  static F decode(ByteReader& in) {
    CodeAddress address;
    address.module = in.fixed<std::uint64_t>();
    address.offset = in.fixed<std::uint64_t>();
    return reinterpret_cast<F>(reinterpret_cast<std::uintptr_t>(find_code(address)));
  }
};

template <class R, class... A>
struct FunctionCodec<R (*)(A...) noexcept> {
  using F = R (*)(A...) noexcept;
  using Plain = FunctionCodec<R (*)(A...)>;

  static void encode(Bytes& out, F function) { Plain::encode(out, function); }
  static F decode(ByteReader& in) { return reinterpret_cast<F>(Plain::decode(in)); }
};

/// A pointer to a member function: two words (Itanium C++ ABI, 2.3). If a bit says that the
/// function is virtual, the first is its place in a table; otherwise it is an address.
template <class F>
requires std::is_member_function_pointer_v<F>
struct FunctionCodec<F> {
  struct Words {
    std::uintptr_t code;
    std::uintptr_t adjustment;
  };

  static void encode(Bytes& out, F function) {
    const auto words = std::bit_cast<Words>(function);
    CodeAddress address;
    if (is_code(words)) address = code_address(reinterpret_cast<const void*>(words.code));
    ByteWriter writer(out);
    writer.fixed(words.code);
    writer.fixed(words.adjustment);
    writer.fixed(address.module);
    writer.fixed(address.offset);
  }

  static F decode(ByteReader& in) {
    Words words{};
    words.code = in.fixed<std::uintptr_t>();
    words.adjustment = in.fixed<std::uintptr_t>();
    CodeAddress address;
    address.module = in.fixed<std::uint64_t>();
    address.offset = in.fixed<std::uint64_t>();
    if (is_code(words)) words.code = reinterpret_cast<std::uintptr_t>(find_code(address));
    return std::bit_cast<F>(words);
  }

 private:
  static bool is_code(const Words& words) {
#ifdef __aarch64__
    return words.code != 0 && (words.adjustment & 1U) == 0;
#else
    return words.code != 0 && (words.code & 1U) == 0;
#endif
  }
};

}  // namespace muster::detail
