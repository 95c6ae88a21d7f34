#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include <muster/plugin.hpp>
#include <muster/plugin_test.hpp>

namespace muster {
namespace {

using Results = std::map<std::string, std::string>;

struct LengthOf {
  using Key = std::uint64_t;
  using Value = std::uint64_t;
  static void map(std::string_view line, Emitter<LengthOf>& out) { out.emit(line.size(), 1U); }
  static Value combine(Value a, Value b) { return a + b; }
};

struct LinesOf {
  using Key = char;
  using Value = std::uint64_t;
  static void map(const Record& record, Emitter<LinesOf>& out) {
    if (!record.text.empty()) out.emit(record.text[0], record.line);
  }
  static std::string reduce(const Key&, std::span<Value> lines) {
    std::string out;
    for (const Value each : lines) out += std::to_string(each) + " ";
    return out;
  }
};

// With both, map combines and reduce gets what is left.
struct Both {
  using Key = std::string;
  using Value = std::uint64_t;
  static void map(std::string_view line, Emitter<Both>& out) {
    for (const auto word : words(line)) out.emit(word, 1);
  }
  static Value combine(Value a, Value b) { return a + b; }
  static std::string reduce(const Key& key, std::span<Value> values) {
    Value sum = 0;
    for (const Value each : values) sum += each;
    return key + "=" + std::to_string(sum);
  }
};

struct Echo {
  explicit Echo(const Parameters& parameters) : mark(parameters.get("mark")) {}
  void map(const Record& line, Output& out) const { out.line(mark, line.line, ':', line.text); }
  std::string mark;
};

TEST(RunMapReduce, combining) {
  EXPECT_EQ(testing::run_map_reduce<LengthOf>("a\nbb\nc\n\n"),
            (Results{{"0", "1"}, {"1", "2"}, {"2", "1"}}));
}

TEST(RunMapReduce, grouped_with_line_numbers_over_many_blocks) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += i % 50 == 7 ? "x\n" : "some other line\n";
  EXPECT_EQ(testing::run_map_reduce<LinesOf>(text).at("x"), "8 58 ");
}

TEST(RunMapReduce, combine_and_reduce_together) {
  EXPECT_EQ(testing::run_map_reduce<Both>("a b a\n" + std::string(100, '\n') + "a\n"),
            (Results{{"a", "a=3"}, {"b", "b=1"}}));
}

TEST(RunMapReduce, of_nothing) { EXPECT_TRUE(testing::run_map_reduce<Both>("").empty()); }

TEST(RunMap, with_settings_in_input_order) {
  EXPECT_EQ(testing::run_map<Echo>("a\nb", {{"mark", "#"}}), "#1:a\n#2:b\n");
}

TEST(RunMap, lets_errors_of_the_task_through) {
  EXPECT_THROW(testing::run_map<Echo>("a\n"), Error);
}

}  // namespace
}  // namespace muster
