#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>

#include <muster/base/bytes.hpp>

namespace muster::detail {

/// No description is larger, whatever was thrown.
inline constexpr std::size_t error_bytes_max = std::size_t{2} << 20U;

/// Calls `call(context)`. Nothing if that returned; otherwise a description of what it threw, with
/// its nested causes and the backtrace of the throw, as bytes, which are empty if there is no
/// memory for it.
std::optional<Bytes> encode_error_of(void (*call)(void* context), void* context) noexcept;

template <class Call>
std::optional<Bytes> encode_error_of(Call&& call) noexcept {
  using Body = std::remove_reference_t<Call>;
  return encode_error_of([](void* body) { (*static_cast<Body*>(body))(); },
                         static_cast<void*>(std::addressof(call)));
}

/// What the bytes describe: the exception itself, as Remote<E>, if its type is registered;
/// otherwise a RemoteError. They may come from a process that has gone wild: an Error(corrupt) if
/// they make no sense, and the memory taken is a small multiple of their size. For lack of that, a
/// std::bad_alloc.
std::exception_ptr decode_exception(std::string_view bytes) noexcept;

}  // namespace muster::detail
