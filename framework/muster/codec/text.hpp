#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace muster {

/// Appends a value as it appears in results: numbers in decimal (the shortest form that reads back
/// equal), enums as their number, strings as they are, the parts of a pair, a tuple or a vector
/// with a tab between. For a type of your own, provide `void append_text(std::string&, const T&)`
/// beside it.
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

template <class T>
requires std::is_enum_v<T>
void append_text(std::string& out, T value) {
  append_text(out, static_cast<std::underlying_type_t<T>>(value));
}

inline void append_text(std::string& out, std::string_view value) { out.append(value); }
inline void append_text(std::string& out, const std::string& value) { out.append(value); }
inline void append_text(std::string& out, const char* value) { out.append(value); }

// Declared before any is defined: each may hold the others.
template <class A, class B>
void append_text(std::string& out, const std::pair<A, B>& value);
template <class... T>
void append_text(std::string& out, const std::tuple<T...>& value);
template <class T>
void append_text(std::string& out, const std::vector<T>& values);

template <class A, class B>
void append_text(std::string& out, const std::pair<A, B>& value) {
  append_text(out, value.first);
  out.push_back('\t');
  append_text(out, value.second);
}

template <class... T>
void append_text(std::string& out, const std::tuple<T...>& value) {
  [[maybe_unused]] const char* between = "";
  const auto append = [&](const auto& each) {
    out.append(std::exchange(between, "\t"));
    append_text(out, each);
  };
  std::apply([&](const T&... each) { (append(each), ...); }, value);
}

template <class T>
void append_text(std::string& out, const std::vector<T>& values) {
  const char* between = "";
  for (const T& each : values) {
    out.append(std::exchange(between, "\t"));
    append_text(out, each);
  }
}

}  // namespace muster
