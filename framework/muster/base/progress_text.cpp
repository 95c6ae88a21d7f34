#include <algorithm>
#include <cmath>
#include <string>

#include <muster/base/progress_text.hpp>
#include <muster/base/units.hpp>

namespace muster {
namespace {

constexpr std::size_t bar_cells = 20;

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

void cut(std::string& text, std::size_t width) {
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (continues_character(text[at])) continue;
    if (column++ == width) return text.resize(at);
  }
}

std::string bar(double fraction, std::size_t cells) {
  const double share = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
  const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
  return "[" + std::string(full, '#') + std::string(cells - full, '-') + "]";
}

std::string line(const ProgressText& text, std::size_t cells, bool with_rate) {
  std::string out;
  const auto append = [&out](std::string_view part) {
    if (part.empty()) return;
    if (!out.empty()) out += "  ";
    out += part;
  };
  append(text.label);
  if (cells != 0) append(bar(text.fraction, cells));
  append(text.counts);
  if (with_rate) append(text.rate);
  if (text.eta) append("eta " + format_clock(*text.eta));
  for (const std::string& each : text.notes) append(each);
  for (char& each : out) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20U || byte == 0x7FU) each = ' ';
  }
  return out;
}

}  // namespace

std::string format_progress(const ProgressText& text, std::size_t width) {
  std::string out = line(text, bar_cells, true);
  const auto too_wide = [&] { return width != 0 && columns(out) > width; };
  if (too_wide()) out = line(text, bar_cells / 2, true);
  if (too_wide()) out = line(text, 0, true);
  if (too_wide()) out = line(text, 0, false);
  if (too_wide()) cut(out, width);
  return out;
}

}  // namespace muster
