// Standard streams that are closed, full, or left by their reader.
#include <algorithm>

#include <fmt/format.h>

#include "support/muster_test.hpp"

namespace muster::testing {
namespace {

class Streams : public MusterTest {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += fmt::format("word-{}\n", i);
    write("text", text);
  }

  Finished run_limited(const std::string& script) const {
    Command limited = shell(script);
    limited.timeout = std::chrono::seconds(5);
    return run(limited);
  }
};

TEST_F(Streams, AReaderThatLeavesEndsTheProgramQuietly) {
  for (const char* task : {"wordcount", "grep --set pattern=1"}) {
    const Finished result = run(
        shell(fmt::format("{{ \"$MUSTER\" run {} -q text; echo $? > code; }} | head -n 1", task)));
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1);
    EXPECT_EQ(read(path("code")), "141\n") << task;
  }
}

TEST_F(Streams, AReaderOfAPlanThatLeavesEndsTheProgramQuietly) {
  for (const char* form : {"", "--json"}) {
    const Finished result =
        run_limited(fmt::format("rm -f gone; {{ until [ -e gone ]; do :; done; "
                                "\"$MUSTER\" run wordcount text --dry-run {}; echo $? > code; }} | "
                                "{{ exec <&-; : > gone; }}",
                                form));
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(read(path("code")), "141\n") << form;
  }
}

TEST_F(Streams, AFullStandardOutputFailsTheJob) {
  for (const char* task : {"wordcount", "grep --set pattern=1"}) {
    expect_error(run(shell(fmt::format("exec \"$MUSTER\" run {} -q text > /dev/full", task))), 1,
                 {"cannot write to standard output", "No space left"});
  }
}

TEST_F(Streams, AFullStandardOutputFailsWhateverPrints) {
  for (const char* each :
       {"run wordcount text --dry-run", "plugin list", "version", "help", "run --help"}) {
    const Finished result = run(shell(fmt::format("exec \"$MUSTER\" {} > /dev/full", each)));
    EXPECT_EQ(result.exit_code, 1) << each << "\n" << result.text();
    EXPECT_NE(result.err.find("standard output"), std::string::npos) << each;
  }
}

TEST_F(Streams, AClosedStandardOutputFailsTheJob) {
  write("short", "a\n");
  for (const char* file : {"text", "short"}) {
    const Finished result =
        run_limited(fmt::format("exec \"$MUSTER\" run wordcount -q {} >&-", file));
    expect_error(result, 1, {"cannot write to standard output"});
  }
}

TEST_F(Streams, AClosedStandardOutputDoesNotMatterWithADirectory) {
  expect_ok(run_limited("exec \"$MUSTER\" run wordcount text -o out >&-"));
  EXPECT_EQ(output_of(shell("cat out/part-* | wc -l")), "100000\n");
}

TEST_F(Streams, AClosedStandardInputIsAnErrorOnlyIfItIsRead) {
  EXPECT_EQ(output_of(shell("\"$MUSTER\" run wordcount -q text <&- | wc -l")), "100000\n");
  const Finished result = run_limited("exec \"$MUSTER\" run wordcount -q - <&-");
  EXPECT_FALSE(result.timed_out);
  expect_error(result, 2, {"input '-' cannot be read"});
}

TEST_F(Streams, AClosedStandardErrorDoesNotMatter) {
  const Finished result = run_limited("exec \"$MUSTER\" run wordcount text 2>&-");
  expect_ok(result);
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 100'000);
  expect_ok(run_limited("exec \"$MUSTER\" run wordcount text -o out >&- 2>&- <&-"));
  EXPECT_EQ(output_of(shell("cat out/part-* | wc -l")), "100000\n");
}

TEST_F(Streams, AFullStandardErrorDoesNotMatter) {
  expect_ok(run(shell("exec \"$MUSTER\" run wordcount text 2> /dev/full")));
}

// The job has done its work; only the account of it is lost.
TEST_F(Streams, AFullStandardOutputCostsTheJsonEventsOnly) {
  const Finished result =
      run(shell("exec \"$MUSTER\" run wordcount text --json -o out > /dev/full"));
  expect_error(result, 0, {"standard output"});
  EXPECT_EQ(output_of(shell("cat out/part-* | wc -l")), "100000\n");
}

TEST_F(Streams, AReaderOfStandardErrorThatLeavesDoesNotMatter) {
  const Finished result = run(
      shell("{ \"$MUSTER\" run wordcount text 2>&1 >result; echo $? > code; } | true; cat code"));
  EXPECT_EQ(result.out, "0\n");
}

}  // namespace
}  // namespace muster::testing
