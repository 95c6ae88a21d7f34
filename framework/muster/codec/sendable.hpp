#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <system_error>
#include <type_traits>
#include <typeindex>

#include <muster/codec/archive.hpp>

namespace muster {
namespace detail {

enum class SendRule : unsigned char {
  ok,
  not_an_object,  // void, a reference, a function, const
  c_array,
  pointer,  // or something that holds one: an iterator, a view, std::reference_wrapper
  owner,    // std::unique_ptr, std::shared_ptr, std::weak_ptr
  not_movable,
  not_constructible,
  no_functions,
};

template <class T>
inline constexpr bool is_owner = false;
template <class T, class D>
inline constexpr bool is_owner<std::unique_ptr<T, D>> = true;
template <class T>
inline constexpr bool is_owner<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool is_owner<std::weak_ptr<T>> = true;

/// The standard's classes that could be copied byte by byte and would then point nowhere.
template <class T>
inline constexpr bool holds_pointer =
    std::is_same_v<T, std::type_index> || std::is_same_v<T, std::error_code> ||
    std::is_same_v<T, std::error_condition>;
template <class T>
inline constexpr bool holds_pointer<std::reference_wrapper<T>> = true;
template <class T>
inline constexpr bool holds_pointer<std::initializer_list<T>> = true;
template <class T>
requires requires(const T& handle) {  // std::coroutine_handle
  handle.address();
  handle.resume();
}
inline constexpr bool holds_pointer<T> = true;

template <class T>
constexpr bool is_pointer_like() {
  if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T>) {
    return true;
  } else if constexpr (std::is_class_v<T>) {
    return holds_pointer<T> || std::ranges::enable_view<T> || std::input_or_output_iterator<T> ||
           std::is_same_v<T, std::exception_ptr>;
  } else {
    return false;
  }
}

template <class T>
constexpr SendRule send_rule();

/// The first rule that one of the parts breaks.
template <bool default_constructible, class... T>
constexpr SendRule rule_of_parts(TypeList<T...>) {
  SendRule out = SendRule::ok;
  [[maybe_unused]] const auto add = [&](SendRule rule, bool constructible) {
    if (rule == SendRule::ok && default_constructible && !constructible) {
      rule = SendRule::not_constructible;
    }
    if (out == SendRule::ok) out = rule;
  };
  (add(send_rule<T>(), std::default_initializable<T>), ...);
  return out;
}

template <class T>
inline constexpr bool is_element_wise = false;
template <class A, class B>
inline constexpr bool is_element_wise<std::pair<A, B>> = true;
template <class... T>
inline constexpr bool is_element_wise<std::tuple<T...>> = true;

template <class T>
constexpr SendRule rule_of_class() {
  if constexpr (cereal::traits::is_output_serializable<T, OutputArchive>::value &&
                cereal::traits::is_input_serializable<T, InputArchive>::value) {
    return std::default_initializable<T> ? SendRule::ok : SendRule::not_constructible;
  } else {
    return SendRule::no_functions;
  }
}

template <class T>
constexpr SendRule send_rule() {
  if constexpr (std::is_array_v<T>) {
    return SendRule::c_array;
  } else if constexpr (!std::is_object_v<T> || std::is_const_v<T> || std::is_volatile_v<T>) {
    return SendRule::not_an_object;
  } else if constexpr (is_pointer_like<T>()) {
    return SendRule::pointer;
  } else if constexpr (is_owner<T>) {
    return SendRule::owner;
  } else if constexpr (!std::move_constructible<T>) {
    return SendRule::not_movable;
  } else if constexpr (is_standard<T>) {
    // Pairs and tuples are made of their decoded parts, flat types of their bytes; elements of
    // everything else are made first and then filled.
    constexpr bool filled = !is_element_wise<T> && !is_flat<T>;
    constexpr bool raw_vector = requires(T & out, ByteReader & in) { read_raw_vector(in, out); };
    constexpr auto rule = rule_of_parts < filled && !raw_vector > (typename Standard<T>::Parts());
    if constexpr (rule != SendRule::ok || !filled) {
      return rule;
    } else {
      return rule_of_class<T>();
    }
  } else if constexpr (is_flat<T>) {
    return SendRule::ok;
  } else {
    return rule_of_class<T>();
  }
}

/// Does nothing for a Sendable T; otherwise fails to compile, with the reason and the remedy. For
/// functions that are not constrained by the concept, because its own message helps nobody.
template <class T>
constexpr void assert_sendable() {
  constexpr SendRule rule = send_rule<T>();
  static_assert(rule != SendRule::not_an_object,
                "only objects can be sent to another process: no references, no const, no void");
  static_assert(rule != SendRule::c_array,
                "an array cannot be sent to another process: send a std::array, a std::vector or "
                "a std::string");
  static_assert(rule != SendRule::pointer,
                "a pointer means nothing in another process (nor does an iterator, a view or a "
                "std::ref): send the object, or a std::string / std::vector of it; an argument "
                "that is only read can be a std::cref of the object");
  static_assert(rule != SendRule::owner,
                "a pointer means nothing in another process, a smart one neither: send the object, "
                "or a std::optional / std::vector of it");
  static_assert(rule != SendRule::not_movable,
                "what is sent to another process arrives as a new object: the type must have a "
                "move or copy constructor");
  static_assert(rule != SendRule::not_constructible,
                "an object is made first and then filled when it arrives in another process: give "
                "the type a default constructor, see docs/sending.md");
  static_assert(rule != SendRule::no_functions,
                "the type is not trivially copyable, and nobody said how to send it: give the type "
                "a serialize(Archive&) function, see docs/sending.md; for std::map, std::set, "
                "std::deque, std::list include <muster/codec/types.hpp>");
}

}  // namespace detail

/// T can be sent to another process, as an argument or a result: objects that are
/// - flat: arithmetic types, enums, and trivially copyable classes; copied byte by byte
/// - std::string, vector, array, pair, tuple, optional, variant, chrono's durations and time
/// points,
///   and with <muster/codec/types.hpp> maps, sets, deque, list, complex, bitset, of Sendable parts
/// - classes with cereal's functions (serialize, or save and load), default constructible. They are
///   used for trivially copyable classes as well.
///
/// Not pointers, references, C arrays, iterators, views such as std::string_view and std::span,
/// smart pointers, std::exception_ptr; nor what is made of them.
///
/// C++20 cannot look into a trivially copyable class: one that holds a pointer is Sendable, and its
/// pointer arrives as a number that points nowhere good. Nor are its bytes checked: give a class
/// with a bool or a std::variant a serialize function if bytes come from somebody you do not trust.
/// Nor is it known what a class's own functions write.
template <class T>
concept Sendable = detail::send_rule<T>()
== detail::SendRule::ok;

}  // namespace muster
