#pragma once

#include <cstddef>
#include <exception>
#include <string_view>

#include <muster/base/bytes.hpp>

namespace muster::detail {

/// No description is larger, whatever was thrown.
inline constexpr std::size_t error_bytes_max = std::size_t{2} << 20U;

/// Describes the exception being handled, with its nested causes, as bytes. To be called in a catch
/// block. Empty if there is no memory for it.
Bytes encode_current_exception() noexcept;
Bytes encode_exception(const std::exception_ptr& error) noexcept;

/// The RemoteError that encode_current_exception described; an Error(corrupt) if it makes no sense.
std::exception_ptr decode_exception(std::string_view bytes);

}  // namespace muster::detail
