#include <gtest/gtest.h>

#include <muster/executors/processes/output_buffer.hpp>

namespace muster::detail {
namespace {

using Lines = std::vector<std::string>;

TEST(OutputBuffer, CutsLinesWhereverThePiecesEnd) {
  OutputBuffer buffer;
  Lines lines;
  buffer.add("one\ntw", lines);
  EXPECT_EQ(lines, Lines{"one"});
  buffer.add("o\n\nth", lines);
  EXPECT_EQ(lines, (Lines{"one", "two", ""}));
  buffer.finish(lines);
  EXPECT_EQ(lines, (Lines{"one", "two", "", "th"}));
  buffer.finish(lines);
  EXPECT_EQ(lines.size(), 4U);
}

TEST(OutputBuffer, DeliversAnEndlessLineInPieces) {
  OutputBuffer buffer;
  Lines lines;
  buffer.add(std::string(2 * OutputBuffer::line_bytes_max + 1, 'x'), lines);
  EXPECT_EQ(lines.size(), 2U);
  buffer.finish(lines);
  EXPECT_EQ(lines.back(), "x");
}

TEST(OutputBuffer, RemembersTheLastLines) {
  OutputBuffer buffer;
  Lines lines;
  EXPECT_EQ(buffer.tail(), "");
  buffer.add("first\nsecond\n", lines);
  EXPECT_EQ(buffer.tail(), "first\nsecond");
  for (int i = 0; i < 10'000; ++i) buffer.add("line " + std::to_string(i) + "\n", lines);
  const std::string tail = buffer.tail();
  EXPECT_LE(tail.size(), OutputBuffer::tail_bytes_max);
  EXPECT_GT(tail.size(), OutputBuffer::tail_bytes_max - 20);
  EXPECT_TRUE(tail.starts_with("line "));
  EXPECT_TRUE(tail.ends_with("line 9999"));
}

TEST(OutputBuffer, RemembersTheEndOfOneLongLine) {
  OutputBuffer buffer;
  Lines lines;
  buffer.add(std::string(100'000, 'a') + "end", lines);
  EXPECT_EQ(buffer.tail().size(), OutputBuffer::tail_bytes_max);
  EXPECT_TRUE(buffer.tail().ends_with("aend"));
}

}  // namespace
}  // namespace muster::detail
