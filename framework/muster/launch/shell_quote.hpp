#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace muster::launch {

/// A word that a POSIX shell reads as exactly this text. A text with a zero byte cannot be passed
/// to a program at all, and is not accepted: Error(usage).
std::string shell_quote(std::string_view text);

/// The words of a command, quoted, with blanks between them.
std::string shell_command(const std::vector<std::string>& arguments);

}  // namespace muster::launch
