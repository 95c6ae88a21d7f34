#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <muster/codec/text.hpp>

namespace {

struct Point {
  int x;
  int y;
};
void append_text(std::string& out, const Point& point) {
  muster::append_text(out, point.x);
  out += '/';
  muster::append_text(out, point.y);
}

template <class T>
std::string text(const T& value) {
  using muster::append_text;
  std::string out;
  append_text(out, value);
  return out;
}

TEST(AppendText, integers_in_decimal) {
  EXPECT_EQ(text(0), "0");
  EXPECT_EQ(text(-17), "-17");
  EXPECT_EQ(text(INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(text(UINT64_MAX), "18446744073709551615");
  EXPECT_EQ(text(std::uint8_t{200}), "200");
  EXPECT_EQ(text(std::int8_t{-128}), "-128");
}

TEST(AppendText, characters_and_truth_values_by_themselves) {
  EXPECT_EQ(text('x'), "x");
  EXPECT_EQ(text(true), "true");
  EXPECT_EQ(text(false), "false");
}

TEST(AppendText, floating_point_in_the_shortest_form_that_reads_back) {
  EXPECT_EQ(text(0.1), "0.1");
  EXPECT_EQ(text(1e300), "1e+300");
  EXPECT_EQ(text(0.1F), "0.1");
  EXPECT_EQ(text(-0.0), "-0");
  EXPECT_EQ(text(HUGE_VAL), "inf");
  for (const double value : {1.0 / 3, 5e-324, std::numeric_limits<double>::max(), 1e22}) {
    EXPECT_EQ(std::strtod(text(value).c_str(), nullptr), value);
  }
}

TEST(AppendText, strings_as_they_are) {
  EXPECT_EQ(text(std::string("a\tb\0c", 5)), std::string("a\tb\0c", 5));
  EXPECT_EQ(text(std::string_view("view")), "view");
  EXPECT_EQ(text("literal"), "literal");
  EXPECT_EQ(text(std::string_view()), "");
}

TEST(AppendText, pairs_with_a_tab_between) {
  EXPECT_EQ(text(std::pair(1, std::string("a"))), "1\ta");
  EXPECT_EQ(text(std::pair(std::pair(1, 2), std::pair(3.5, 'c'))), "1\t2\t3.5\tc");
}

enum class Level : std::uint8_t { low = 1, high = 200 };

TEST(AppendText, enums_as_their_number) {
  EXPECT_EQ(text(Level::high), "200");
  EXPECT_EQ(text(std::pair(Level::low, 'x')), "1\tx");
}

TEST(AppendText, tuples_and_vectors_with_tabs_between) {
  EXPECT_EQ(text(std::tuple(1, std::string("a"), 2.5)), "1\ta\t2.5");
  EXPECT_EQ(text(std::tuple()), "");
  EXPECT_EQ(text(std::vector{3, 1, 2}), "3\t1\t2");
  EXPECT_EQ(text(std::vector<int>()), "");
  EXPECT_EQ(text(std::vector<bool>{true, false}), "true\tfalse");
}

TEST(AppendText, whatever_is_inside_whatever) {
  EXPECT_EQ(text(std::pair(std::tuple(1, std::vector{2, 3}), std::vector{std::tuple('x', 4)})),
            "1\t2\t3\tx\t4");
  EXPECT_EQ(text(std::vector{std::vector{Point{1, 2}}, std::vector{Point{3, 4}}}), "1/2\t3/4");
}

TEST(AppendText, takes_types_of_ones_own) {
  EXPECT_EQ(text(Point{1, -2}), "1/-2");
  EXPECT_EQ(text(std::pair(7, Point{1, 2})), "7\t1/2");
}

TEST(AppendText, appends) {
  std::string out = "so far ";
  muster::append_text(out, 12);
  EXPECT_EQ(out, "so far 12");
}

}  // namespace
