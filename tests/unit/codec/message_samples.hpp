#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <compare>
#include <complex>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <muster/codec/message.hpp>
#include <muster/codec/types.hpp>

namespace muster::samples {

enum class Colour : std::uint8_t { red, green = 7 };
enum class Switch : bool { off, on };

struct Point {
  std::int32_t x = 0;
  std::int32_t y = 0;
  bool operator==(const Point&) const = default;
  auto operator<=>(const Point&) const = default;
};

struct Empty {
  bool operator==(const Empty&) const = default;
};

/// Flat, and made only from its parts.
class Ratio {
 public:
  Ratio(int top, int bottom) : top_(top), bottom_(bottom) {}
  bool operator==(const Ratio&) const = default;

 private:
  int top_;
  int bottom_;
};

/// Trivially copyable, and yet sent by its own function: `cached` stays behind.
struct Selective {
  std::int32_t sent = 0;
  std::int32_t cached = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(sent);
  }
};

/// A function of free form, split in two.
struct Celsius {
  double degrees = 0;
  std::string station;
  bool operator==(const Celsius&) const = default;
};
template <class Archive>
void save(Archive& archive, const Celsius& value) {
  archive(value.degrees, value.station);
}
template <class Archive>
void load(Archive& archive, Celsius& value) {
  archive(value.degrees, value.station);
}

struct Base {
  std::string name;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(name);
  }
  bool operator==(const Base&) const = default;
};

struct Derived : Base {
  std::vector<Point> outline;
  std::map<std::string, Point> marks;
  std::optional<Celsius> warmth;
  std::variant<std::monostate, int, std::string> tag;
  Colour colour = Colour::red;
  bool visible = false;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Base>(this), outline, marks, warmth, CEREAL_NVP(tag), colour,
            visible);
  }
  bool operator==(const Derived&) const = default;
};

struct Tree {
  std::int32_t value = 0;
  std::vector<Tree> children;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value, children);
  }
  bool operator==(const Tree&) const = default;
};

struct Versioned {
  std::string text;
  template <class Archive>
  void serialize(Archive& archive, std::uint32_t version) {
    archive(text);
    if (version > 0) archive(added);
  }
  std::int32_t added = 0;
  bool operator==(const Versioned&) const = default;
};

/// A tree that is a chain of `depth` nodes.
inline Tree chain(int depth) {
  Tree out;
  for (int i = 1; i < depth; ++i) {
    Tree above;
    above.value = i;
    above.children.push_back(std::move(out));
    out = std::move(above);
  }
  return out;
}

inline Derived derived() {
  Derived out;
  out.name = "a name that is too long for the small buffer";
  out.outline = {{1, 2}, {-3, 4}};
  out.marks = {{"a", {5, 6}}, {"", {}}};
  out.warmth = Celsius{36.6, "here"};
  out.tag = "text";
  out.colour = Colour::green;
  out.visible = true;
  return out;
}

/// Calls visit(value) with a value or two of every kind. The order is part of the fuzzer's corpus:
/// new samples go to the end.
template <class Visit>
void for_each_sample(const Visit& visit) {
  using namespace std::chrono_literals;
  using Strings = std::vector<std::string>;
  const std::string longer(100, 'x');
  visit(true);
  visit(std::int64_t{-5});
  visit(2.5);
  visit(Colour::green);
  visit(Switch::on);
  visit(Point{1, -2});
  visit(Empty{});
  visit(Ratio(1, 3));
  visit(std::string());
  visit(std::string("with\0zero", 9));
  visit(std::vector<int>{});
  visit(std::vector<std::uint64_t>{1, 2, 3});
  visit(std::vector<Point>{{1, 2}, {3, 4}});
  visit(std::vector<Ratio>{{1, 2}, {3, 4}});
  visit(std::vector<bool>{true, false, true});
  visit(std::vector<Switch>{Switch::on, Switch::off});
  visit(std::vector<Empty>(5));
  visit(Strings{});
  visit(Strings{"", "short", longer});
  visit(std::pair<int, std::string>{1, "b"});
  visit(std::tuple<>());
  visit(std::tuple<bool, Ratio, Strings, std::pair<Colour, Point>>{
      true, {1, 2}, {"a"}, {Colour::red, {8, 9}}});
  visit(std::array<int, 3>{1, 2, 3});
  visit(std::array<bool, 3>{true, false, true});
  visit(std::array<std::string, 2>{"a", longer});
  visit(std::optional<int>());
  visit(std::optional<std::string>("x"));
  visit(std::variant<int, double>(2.0));
  visit(std::variant<std::monostate, Strings, bool>(true));
  visit(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
  visit(std::unordered_map<int, Point>{{1, {2, 3}}, {4, {5, 6}}});
  visit(std::multimap<int, std::string>{{1, "a"}, {1, "b"}});
  visit(std::set<std::string>{"a", "b"});
  visit(std::multiset<int>{1, 1, 2});
  visit(std::unordered_set<std::string>{"a", "b", "c"});
  visit(std::unordered_multiset<int>{1, 1});
  visit(std::deque<std::string>{"a", "b"});
  visit(std::list<Empty>(4));
  visit(std::list<std::list<Point>>{{{1, 2}}, {}});
  visit(std::complex<double>(1, -1));
  visit(std::vector<std::complex<float>>{{1, 2}});
  visit(std::bitset<13>(0x155U));
  visit(std::chrono::nanoseconds(5ms));
  visit(std::chrono::system_clock::time_point(7s));
  visit(std::u32string(U"wide"));
  visit(std::vector<std::vector<std::vector<std::string>>>{{{"a"}, {}}, {}});
  visit(std::vector<std::optional<Point>>{Point{1, 2}, std::nullopt});
  visit(Celsius{-273.15, "cold"});
  visit(derived());
  visit(std::vector<Derived>{derived(), Derived()});
  visit(chain(1));
  visit(chain(nesting_max));
  visit(Versioned{"v", 0});
}

template <class T>
Bytes encoded(const T& value) {
  Bytes out;
  detail::encode_message(out, value);
  return out;
}

template <class T>
T decoded(std::string_view bytes) {
  ByteReader in(bytes);
  T out = detail::decode_message<T>(in);
  in.finish();
  return out;
}

}  // namespace muster::samples
