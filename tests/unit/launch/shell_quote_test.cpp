#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/launch/run_program.hpp>
#include <muster/launch/shell_quote.hpp>

namespace muster::launch {
namespace {

using namespace std::chrono_literals;

TEST(ShellQuote, LeavesPlainWordsAsTheyAre) {
  EXPECT_EQ(shell_quote("tcp://head-1.example:7600"), "tcp://head-1.example:7600");
  EXPECT_EQ(shell_quote(""), "''");
  EXPECT_EQ(shell_quote("it's"), R"('it'\''s')");
  EXPECT_EQ(shell_quote("~"), "'~'");
  EXPECT_THROW(shell_quote(std::string("a\0b", 3)), Error);
}

// The real shell reads back what was quoted.
TEST(ShellQuote, IsWhatTheShellReads) {
  std::string all;
  for (int c = 1; c < 256; ++c) all.push_back(static_cast<char>(c));
  const std::vector<std::string> texts = {"",     " ",     "'",   "''",   "\"", "\\",       "$HOME",
                                          "`id`", "$(id)", "a b", "a\nb", "*",  "~",        "#",
                                          "-n",   "!",     "%s",  "a;b",  "&",  "\xc3\xa4", all};
  for (const std::string& each : texts) {
    const ProgramEnd end = run_program({{"sh"}, "printf '%s' " + shell_quote(each) + "\n"}, 20s);
    EXPECT_TRUE(end.ok()) << end.reason();
    EXPECT_EQ(end.out, each);
  }
  const ProgramEnd end =
      run_program({{"sh"}, shell_command({"printf", "%s|", "a b", "$x", ""})}, 20s);
  EXPECT_EQ(end.out, "a b|$x||");
}

}  // namespace
}  // namespace muster::launch
