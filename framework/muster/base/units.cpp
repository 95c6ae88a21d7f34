#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/units.hpp>

namespace muster {

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1024U) return fmt::format("{} B", bytes);
  constexpr std::array units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024.0;
  std::size_t unit = 0;
  // 1023.95 would be shown as 1024.0.
  while (value >= 1023.95 && unit + 1 < units.size()) {
    value /= 1024.0;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string format_count(std::uint64_t count) {
  std::string out = std::to_string(count);
  for (std::size_t at = out.size(); at > 3;) {
    at -= 3;
    out.insert(at, 1, ',');
  }
  return out;
}

std::string format_duration(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (seconds < 59.995) return fmt::format("{:.2f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  return fmt::format("{}:{:02}:{:02}", whole / 3600U, whole / 60U % 60U, whole % 60U);
}

std::string format_clock(Duration duration) {
  const auto seconds =
      std::chrono::ceil<std::chrono::seconds>(std::max(duration, Duration::zero())).count();
  if (seconds < 3600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::uint64_t parse_bytes(std::string_view text, std::string_view option) {
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  unsigned shift = 0;
  bool known = problem == std::errc();
  if (!suffix.empty()) {
    constexpr std::string_view letters = "KMGT";
    const auto at = letters.find(static_cast<char>(suffix[0] & ~0x20));
    known = known && at != std::string_view::npos;
    shift = 10U * static_cast<unsigned>(at + 1);
    suffix.remove_prefix(1);
    known = known && (suffix.empty() || suffix == "iB" || suffix == "B");
  }
  if (!known || (shift != 0 && value > (UINT64_MAX >> shift))) {
    throw Error(ErrorCode::usage, fmt::format("{}: '{}' is not a size", option, text),
                "write it like 4096, 64K, 8M or 1G");
  }
  return value << shift;
}

Duration parse_duration(std::string_view text, std::string_view option) {
  struct Unit {
    std::string_view name;
    std::int64_t ns;
  };
  constexpr Unit units[] = {
      {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};
  constexpr std::int64_t year_ns = std::int64_t{365} * 24 * 3'600'000'000'000;
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  const auto* const unit = std::find_if(std::begin(units), std::end(units),
                                        [&](const Unit& each) { return each.name == suffix; });
  if (problem != std::errc() || unit == std::end(units) || value <= 0 ||
      value > year_ns / unit->ns) {
    throw Error(ErrorCode::usage, fmt::format("{}: '{}' is not a time", option, text),
                "write it like 500ms, 10s, 5m or 4h");
  }
  return Duration(value * unit->ns);
}

}  // namespace muster
