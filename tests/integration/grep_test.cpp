// The map-only job against GNU grep.
#include <fmt/format.h>

#include "support/muster_test.hpp"
#include "support/reference.hpp"

namespace muster::testing {
namespace {

using namespace std::string_literals;

class Grep : public MusterTest {
 protected:
  void SetUp() override {
    std::string numbers;
    for (int i = 1; i <= 30; ++i) numbers += fmt::format("line {} of it\n", i);
    write("numbers", numbers);
    write("crlf", "one 1\r\n\r\ntwo 2\r\nthree 3");
    write("no-newline", "a 1\nb 2\nc 3");
    write("blank-lines", "\n\n\n5\n\n7");
    write("empty", "");
    write("long-line", std::string(300, 'x') + " 42\n7\n" + std::string(80, 'y'));
    write("bytes", "nul \0 7\n\xff\xfe 8\n"s);
  }

  std::string reference(const std::string& options, const std::string& pattern) const {
    return output_of(shell(fmt::format(
        "grep -anHE {} '{}' {} | sed -E 's/^([^:]*:[0-9]+):/\\1\\t/'", options, pattern, files)));
  }

  void expect_same(const std::string& pattern) const {
    const std::string expected = reference("", pattern);
    for (const char* workers : {"1", "2", "8"}) {
      for (const char* chunk : {"1", "3", "64", "4096"}) {
        if (chunk[0] == '1' && workers[0] != '2') continue;  // thousands of chunks: once is enough
        SCOPED_TRACE(fmt::format("{} -j {} --chunk-size {}", pattern, workers, chunk));
        const std::string script =
            fmt::format("exec \"$MUSTER\" run grep -q --set pattern='{}' -j {} --chunk-size {} {}",
                        pattern, workers, chunk, files);
        EXPECT_EQ(output_of(shell(script)), expected);
      }
    }
  }

  static constexpr const char* files =
      "numbers crlf no-newline blank-lines empty long-line bytes no-newline";
};

TEST_F(Grep, FindsWhatGnuGrepFinds) {
  expect_same("[0-9]+");
  expect_same("7");
}

TEST_F(Grep, AnchorsAtLinesWhereverTheChunksAreCut) { expect_same("^(line [0-9]*0|b|7| )"); }

TEST_F(Grep, FindsEmptyLines) { expect_same("^$"); }

TEST_F(Grep, FindsNothingAndSucceeds) {
  const Finished result = muster({"run", "grep", "-q", "--set", "pattern=nowhere", "numbers"});
  expect_ok(result);
  EXPECT_EQ(result.out, "");
}

TEST_F(Grep, IgnoresCaseIfToldTo) {
  write("numbers", "Ab\nab\nAB x\nb\n");
  EXPECT_EQ(output_of(command(
                {"run", "grep", "-q", "--set", "pattern=^aB", "--set", "case=ignore", "numbers"})),
            "numbers:1\tAb\nnumbers:2\tab\nnumbers:3\tAB x\n");
}

TEST_F(Grep, KeepsInputOrderInPartFiles) {
  const std::string expected = reference("", "[0-9]");
  expect_ok(
      run(shell(fmt::format("exec \"$MUSTER\" run grep --set pattern=[0-9] -j 8 "
                            "--chunk-size 64 -o out {}",
                            files))));
  EXPECT_EQ(output_of(shell("cat out/part-*")), expected);
}

TEST_F(Grep, NumbersTheLinesOfALargerFile) {
  write("text", skewed_text(5'000'000, 8));
  const std::string expected =
      output_of(shell("grep -anHE 'The[0-9]1' text | sed -E 's/^([^:]*:[0-9]+):/\\1\\t/'"));
  ASSERT_GT(expected.size(), 1000U);
  for (const char* chunk : {"65537", "1M", "100M"}) {
    EXPECT_TRUE(output_of(command({"run", "grep", "-q", "--set", "pattern=The[0-9]1",
                                   "--chunk-size", chunk, "text"})) == expected)
        << chunk;
  }
}

}  // namespace
}  // namespace muster::testing
