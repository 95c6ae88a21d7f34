#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/clock.hpp>

namespace muster {

/// What a line of progress says. The texts are shown as they are, but for control characters, which
/// become spaces; each character counts as one column.
struct ProgressText {
  std::string_view label = {};
  double fraction = 0.0;  ///< how much of the bar is full, from 0 to 1
  std::string counts = {};
  std::string rate = {};
  std::optional<Duration> eta = std::nullopt;
  std::vector<std::string> notes = {};
};

/// "resize  [##########----------]  512/1,024  1,234/s  eta 0:12  2 failed" in at most `width`
/// columns; 0: in as many as it takes. Parts that are empty are left out. Where it is narrow, the
/// bar is halved, then left out, then the rate too; what is still too long is cut.
std::string format_progress(const ProgressText& text, std::size_t width);

}  // namespace muster
