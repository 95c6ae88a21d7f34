#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace muster {

/// Appends a value as it appears in results: numbers in decimal (the shortest form that reads back
/// equal), strings as they are, the two parts of a pair with a tab between.
/// For a type of your own, provide `void append_text(std::string&, const T&)` beside it.
template <class T>
requires std::integral<T> || std::floating_point<T>
void append_text(std::string& out, T value) {
  if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::same_as<T, char>) {
    out.push_back(value);
  } else {
    char digits[64];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out.append(digits, end);
  }
}

inline void append_text(std::string& out, std::string_view value) { out.append(value); }
inline void append_text(std::string& out, const std::string& value) { out.append(value); }
inline void append_text(std::string& out, const char* value) { out.append(value); }

template <class A, class B>
void append_text(std::string& out, const std::pair<A, B>& value) {
  append_text(out, value.first);
  out.push_back('\t');
  append_text(out, value.second);
}

}  // namespace muster
