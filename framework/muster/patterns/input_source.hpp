#pragma once

#include <iterator>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

namespace muster::detail {

/// A range taken one by one. Holds what was given as a temporary, and refers to the rest, so an
/// lvalue must outlive it. The elements of a container that it holds are moved out, all others are
/// copied. Must not be moved once it was asked for anything. Used by one thread.
template <class Range>
class InputSource {
  // What views and borrowed ranges show may be somebody else's.
  static constexpr bool owns_elements = !std::is_reference_v<Range> && !std::ranges::view<Range> &&
                                        !std::ranges::borrowed_range<Range>;

 public:
  using Value = std::ranges::range_value_t<Range>;

  template <class Given>
  explicit InputSource(std::in_place_t /*unused*/, Given&& given)
      : range_(std::forward<Given>(given)) {}

  /// Moves on behind what was taken last: not earlier, since that may have to wait for the next
  /// one.
  bool at_end() {
    if (!at_) {
      at_.emplace(std::ranges::begin(range_));
    } else if (taken_) {
      ++*at_;
    }
    taken_ = false;
    return *at_ == std::ranges::end(range_);
  }

  /// To be called once after each at_end() that was false.
  Value take() {
    taken_ = true;
    if constexpr (owns_elements) {
      return Value(std::ranges::iter_move(*at_));
    } else {
      return Value(**at_);
    }
  }

 private:
  using Iterator = decltype(std::ranges::begin(std::declval<std::remove_reference_t<Range>&>()));

  Range range_;  // a reference for what was given as an lvalue
  std::optional<Iterator> at_;
  bool taken_ = false;
};

}  // namespace muster::detail
