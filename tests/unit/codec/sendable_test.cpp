#include <atomic>
#include <coroutine>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <system_error>
#include <thread>
#include <typeindex>

#include <gtest/gtest.h>

#include "message_samples.hpp"

// What may be sent is decided by the compiler, so that is where it is tested.

namespace muster {
namespace {

using detail::is_flat;
using detail::send_rule;
using detail::SendRule;

struct NoFunctions {
  std::string text;
};
struct NoDefault {
  explicit NoDefault(std::string text) : text_(std::move(text)) {}
  template <class Archive>
  void serialize(Archive& archive) {
    archive(text_);
  }

 private:
  std::string text_;
};
struct OnlySaved {
  std::string text;
  template <class Archive>
  void save(Archive& archive) const {
    archive(text);
  }
};
class Private {
 public:
  bool operator==(const Private&) const = default;

 private:
  friend class cereal::access;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(text_);
  }
  std::string text_;
};

template <class... T>
constexpr bool all_sendable = (Sendable<T> && ...);
static_assert(all_sendable<bool, char, long double, std::byte, samples::Colour, samples::Point>);
static_assert(all_sendable<samples::Derived, samples::Tree, std::vector<samples::Tree>, Private>);
static_assert(all_sendable<std::wstring, std::pair<const int, samples::Ratio>,
                           std::vector<samples::Ratio>, std::array<samples::Point, 3>>);
static_assert(all_sendable<std::map<std::string, std::vector<samples::Derived>>,
                           std::variant<std::monostate, samples::Derived>>);

template <SendRule rule, class... T>
constexpr bool all_break = ((send_rule<T>() == rule && !Sendable<T>)&&...);
static_assert(all_break<SendRule::not_an_object, void, int&, const int&, int&&, const int, int()>);
static_assert(all_break<SendRule::c_array, int[3], const char[3], char[]>);
static_assert(all_break<SendRule::pointer, int*, const char*, void (*)(), int samples::Point::*,
                        std::nullptr_t, std::string_view, std::u32string_view, std::span<int>,
                        std::vector<int>::iterator, std::map<int, int>::iterator,
                        std::list<int>::const_iterator, std::reference_wrapper<int>>);
static_assert(all_break<SendRule::pointer, std::exception_ptr, std::type_index, std::error_code,
                        std::error_condition, std::initializer_list<int>, std::coroutine_handle<>>);
static_assert(all_break<SendRule::owner, std::unique_ptr<int>, std::shared_ptr<samples::Point>,
                        std::weak_ptr<int>, std::vector<std::shared_ptr<int>>>);
static_assert(all_break<SendRule::not_movable, std::atomic<int>, std::mutex>);
static_assert(all_break<SendRule::not_constructible, NoDefault, std::vector<NoDefault>,
                        std::optional<samples::Ratio>, std::map<int, samples::Ratio>>);
static_assert(all_break<SendRule::no_functions, NoFunctions, OnlySaved, std::vector<NoFunctions>,
                        std::function<void()>, std::thread, std::filesystem::path>);

// Parts of standard types are looked at, however deep.
static_assert(all_break<SendRule::pointer, std::vector<int*>, std::array<int*, 2>,
                        std::optional<std::string_view>, std::variant<int, char*>,
                        std::pair<int, const char*>, std::tuple<int, std::tuple<int*>>,
                        std::map<std::string_view, int>, std::map<int, std::vector<int*>>,
                        std::deque<std::span<int>>, std::unordered_map<int, int*>>);

static_assert(is_flat<int> && is_flat<bool> && is_flat<samples::Point> && is_flat<samples::Ratio>);
static_assert(is_flat<samples::Empty> && is_flat<std::monostate> && is_flat<std::array<int, 3>>);
static_assert(is_flat<std::chrono::seconds> && is_flat<std::complex<float>>);
static_assert(is_flat<std::chrono::steady_clock::time_point>);
static_assert(!is_flat<samples::Selective> && !is_flat<samples::Celsius> && !is_flat<std::string>);
// Trivially copyable, but not every sequence of bytes is one.
static_assert(!is_flat<std::optional<int>> && !is_flat<std::variant<int, double>>);
static_assert(!is_flat<std::array<bool, 3>> && !is_flat<std::bitset<5>>);
static_assert(!is_flat<std::pair<int, int>> && !is_flat<int*> && !is_flat<int[3]>);

TEST(Sendable, assert_sendable_compiles_for_what_is) {
  detail::assert_sendable<int>();
  detail::assert_sendable<std::map<std::string, samples::Derived>>();
  static_assert(std::is_same_v<decltype(detail::assert_sendable<int>()), void>);
}

}  // namespace
}  // namespace muster
