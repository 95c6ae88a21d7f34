#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <muster/base/clock.hpp>

namespace muster {

std::string format_bytes(std::uint64_t bytes);   ///< "8.0 MiB", "512 B"
std::string format_count(std::uint64_t count);   ///< "61,204"
std::string format_duration(Duration duration);  ///< "2.41 s"; from a minute on "0:01:03"
std::string format_clock(Duration duration);     ///< "0:12", "1:02:03": seconds, rounded up

/// Parses "4096", "64K", "8M", "8MiB", "1G" (powers of 1024). Throws Error(usage) that names
/// `option` and shows the forms accepted.
std::uint64_t parse_bytes(std::string_view text, std::string_view option);

/// Parses "500ms", "10s", "5m", "4h"; above 0 and at most a year. Throws as parse_bytes() does.
Duration parse_duration(std::string_view text, std::string_view option);

}  // namespace muster
