#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace muster {

/// The candidate a mistyped name most likely meant: the one with the fewest edits (insertions,
/// deletions, substitutions, swaps of neighbours), if they are at most a third of its length,
/// at least 1. Ties go to the first candidate.
std::optional<std::string> closest(std::string_view name, std::span<const std::string> candidates);

}  // namespace muster
