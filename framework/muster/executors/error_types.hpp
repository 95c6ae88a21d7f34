#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <typeinfo>

#include <muster/executors/register_error.hpp>

/// The exception types that travel as themselves: those registered, in the order in which they
/// were. A task process has a beginning of its parent's list, so that numbers mean the same.

namespace muster::detail {

/// Thread-safe, like all here.
std::optional<std::uint32_t> error_type_number(const std::type_info& type);

/// By the name std::type_info::name() gives.
std::optional<std::uint32_t> error_type_number(std::string_view mangled_name);

/// None if nothing has that number.
std::optional<ErrorType> error_type(std::uint32_t number);

}  // namespace muster::detail
