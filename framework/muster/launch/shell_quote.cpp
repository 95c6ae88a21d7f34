#include <algorithm>

#include <muster/base/error.hpp>
#include <muster/launch/shell_quote.hpp>

namespace muster::launch {
namespace {

/// Means nothing to a shell, wherever in a word.
bool is_plain(char c) {
  constexpr std::string_view plain = "%+,-./:@_";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         plain.find(c) != std::string_view::npos;
}

}  // namespace

std::string shell_quote(std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    throw Error(ErrorCode::usage, "an argument has a zero byte in it");
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += R"('\'')";
    } else {
      out.push_back(c);
    }
  }
  return out + "'";
}

std::string shell_command(const std::vector<std::string>& arguments) {
  std::string out;
  for (const std::string& each : arguments) out += (out.empty() ? "" : " ") + shell_quote(each);
  return out;
}

}  // namespace muster::launch
