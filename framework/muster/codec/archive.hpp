#pragma once

#include <concepts>
#include <string>
#include <vector>

#include <muster/codec/bounded_archive.hpp>
#include <muster/codec/flat.hpp>

/// muster::OutputArchive and muster::InputArchive with the types that nearly everybody needs;
/// <muster/codec/types.hpp> adds maps, sets, deques, lists, std::complex and std::bitset.
///
/// A class becomes known to them by cereal's functions (serialize, or save and load); a trivially
/// copyable one needs none. Pointers, smart ones too, are refused at compile time, and with them
/// cereal's polymorphic types.

namespace muster {

// Objects count toward nesting_max.
template <class T>
void prologue(OutputArchive& out, const T&) {
  if constexpr (detail::is_nesting<T>) out.enter();
}
template <class T>
void epilogue(OutputArchive& out, const T&) {
  if constexpr (detail::is_nesting<T>) out.leave();
}
template <class T>
void prologue(InputArchive& in, const T&) {
  if constexpr (detail::is_nesting<T>) in.enter();
}
template <class T>
void epilogue(InputArchive& in, const T&) {
  if constexpr (detail::is_nesting<T>) in.leave();
}

// The archive is a template parameter for the sake of the order of checks: whether T has functions
// of its own must not be asked while cereal looks for exactly those, with another archive.
template <std::same_as<OutputArchive> Archive, class T>
requires detail::FlatClass<T>
void save(Archive& out, const T& value) { out.write(&value, sizeof value); }

template <std::same_as<InputArchive> Archive, class T>
requires detail::FlatClass<T>
void load(Archive& in, T& value) {
  std::memcpy(static_cast<void*>(&value), in.reader().take(sizeof value).data(), sizeof value);
}

// Preferred to cereal's, which resize to whatever size is announced.

template <class Char, class Traits, class A>
void load(InputArchive& in, std::basic_string<Char, Traits, A>& out) {
  detail::read_string(in.reader(), out);
}

template <class T, class A>
requires detail::is_raw<T>
void save(OutputArchive& out, const std::vector<T, A>& values) {
  out.write_count(values.size());
  out.write(values.data(), values.size() * sizeof(T));
}

template <class T, class A>
void load(InputArchive& in, std::vector<T, A>& out) {
  if constexpr (detail::is_raw<T>) {
    detail::read_raw_vector(in.reader(), out);
  } else if constexpr (std::is_same_v<T, std::string>) {
    detail::read_strings(in.reader(), out);
  } else {
    const std::size_t count = in.read_count();
    out.clear();
    out.reserve(in.reservable(count, sizeof(T)));
    for (std::size_t i = 0; i < count; ++i) in(out.emplace_back());
  }
}

template <class A>
void load(InputArchive& in, std::vector<bool, A>& out) {
  const std::size_t count = in.read_count();
  out.clear();
  out.reserve(count);  // a bit for every byte that is there
  for (std::size_t i = 0; i < count; ++i) out.push_back(in.reader().fixed<bool>());
}

}  // namespace muster
