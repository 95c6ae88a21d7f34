#include "grep.cpp"

#include <gtest/gtest.h>

#include <muster/plugin_test.hpp>

namespace {

std::string grep(std::string_view text, const char* pattern, const char* fold = "keep") {
  return muster::testing::run_map<Grep>(text, {{"pattern", pattern}, {"case", fold}});
}

TEST(Grep, WritesFileLineNumberAndText) {
  EXPECT_EQ(grep("one\ntwo\nthree\n", "^t"), "input:2\ttwo\ninput:3\tthree\n");
}

TEST(Grep, TakesALastLineWithoutNewline) { EXPECT_EQ(grep("x\nyes", "yes"), "input:2\tyes\n"); }

TEST(Grep, NumbersLinesAcrossBlocks) {
  std::string text;
  for (int i = 1; i <= 1000; ++i) text += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(grep(text, "^line 997$"), "input:997\tline 997\n");
}

TEST(Grep, CanIgnoreCase) {
  EXPECT_EQ(grep("Ab\n", "aB"), "");
  EXPECT_EQ(grep("Ab\n", "aB", "ignore"), "input:1\tAb\n");
}

TEST(Grep, KeepsCarriageReturnsAndInvalidUtf8) {
  EXPECT_EQ(grep("a\xff z\r\n", "z"), "input:1\ta\xff z\r\n");
}

TEST(Grep, RefusesAMissingOrBrokenPattern) {
  EXPECT_THROW(grep("", ""), muster::Error);
  EXPECT_THROW(grep("", "("), muster::Error);
}

}  // namespace
