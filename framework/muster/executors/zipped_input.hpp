#pragma once

#include <cstddef>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

namespace muster::detail {

/// Several ranges gone through in step, to the end of the shortest. Holds what was given as a
/// temporary, and refers to the rest. Must not be moved once made.
template <class... Ranges>
class ZippedInput {
 public:
  using Values = std::tuple<std::ranges::range_value_t<Ranges>...>;

  template <class... Given>
  explicit ZippedInput(Given&&... given) : ranges_(std::forward<Given>(given)...) {}
  ZippedInput(const ZippedInput&) = delete;
  ZippedInput& operator=(const ZippedInput&) = delete;

  bool at_end() {
    if (!at_) at_.emplace(begins(std::index_sequence_for<Ranges...>()));
    return any_at_end(std::index_sequence_for<Ranges...>());
  }
  Values take() {  // not at the end
    return std::apply([](auto&... each) { return Values{*each++...}; }, *at_);
  }

 private:
  template <std::size_t... I>
  auto begins(std::index_sequence<I...>) {
    return std::tuple(std::ranges::begin(std::get<I>(ranges_))...);
  }
  template <std::size_t... I>
  bool any_at_end(std::index_sequence<I...>) {
    return ((std::get<I>(*at_) == std::ranges::end(std::get<I>(ranges_))) || ...);
  }

  std::tuple<Ranges...> ranges_;  // a reference for what was given as an lvalue
  std::optional<
      std::tuple<decltype(std::ranges::begin(std::declval<std::remove_reference_t<Ranges>&>()))...>>
      at_;
};

}  // namespace muster::detail
