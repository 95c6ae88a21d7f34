#include "wordcount.cpp"

#include <gtest/gtest.h>

#include <muster/plugin_test.hpp>

namespace {

using namespace std::string_view_literals;

using Counts = std::map<std::string, std::string>;

Counts count(std::string_view text, const char* tokens, const char* fold) {
  return muster::testing::run_map_reduce<WordCount>(text, {{"tokens", tokens}, {"case", fold}});
}

TEST(WordCount, CountsWhiteSpaceSeparatedTokensAsTheyStand) {
  EXPECT_EQ(count("a B  a,\tb\r\nB\v\fa", "space", "keep"),
            (Counts{{"a", "2"}, {"B", "2"}, {"a,", "1"}, {"b", "1"}}));
}

TEST(WordCount, CountsRunsOfLetters) {
  EXPECT_EQ(count("don't 3x stop-stop", "letters", "keep"),
            (Counts{{"don", "1"}, {"t", "1"}, {"x", "1"}, {"stop", "2"}}));
}

TEST(WordCount, FoldsAsciiCapitalsOnly) {
  EXPECT_EQ(count("The THE the \xc3\x84", "space", "lower"),
            (Counts{{"the", "3"}, {"\xc3\x84", "1"}}));
}

TEST(WordCount, KeepsNulAndLongWordsApart) {
  const auto text = "a a\0 a\0\0 abcdefghijklmno abcdefghijklmnop abcdefghijklmnop"sv;
  EXPECT_EQ(count(text, "space", "keep"), (Counts{{"a", "1"},
                                                  {std::string("a\0", 2), "1"},
                                                  {std::string("a\0\0", 3), "1"},
                                                  {"abcdefghijklmno", "1"},
                                                  {"abcdefghijklmnop", "2"}}));
}

TEST(WordCount, OfNothingIsNothing) {
  EXPECT_TRUE(count("", "space", "keep").empty());
  EXPECT_TRUE(count(" \n\t ", "space", "keep").empty());
}

}  // namespace
