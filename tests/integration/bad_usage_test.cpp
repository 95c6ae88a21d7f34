// Command lines that cannot be meant.
#include <fmt/format.h>

#include "support/muster_test.hpp"

namespace muster::testing {
namespace {

class BadUsage : public MusterTest {
 protected:
  void SetUp() override { write("text", "a b\n"); }

  // With exit code 2, and before anything was written.
  void expect_refused(const std::string& arguments,
                      std::initializer_list<std::string_view> texts) const {
    SCOPED_TRACE(arguments);
    expect_error(run(shell("exec \"$MUSTER\" " + arguments)), 2, texts);
    EXPECT_EQ(names_in(work()), std::vector<std::string>{"text"});
  }
};

TEST_F(BadUsage, UnknownCommands) {
  expect_refused("", {"Usage: muster"});
  expect_refused("runn", {"error: no command 'runn'", "hint: did you mean 'muster run'?"});
  expect_refused("frobnicate", {"no command 'frobnicate'", "muster help"});
  expect_refused("plugin", {"Usage: muster plugin"});
  expect_refused("plugin chek x.so",
                 {"no command 'plugin chek'", "hint: did you mean 'muster plugin check'?"});
  expect_refused("plugin lst", {"hint: did you mean 'muster plugin list'?"});
  expect_refused("plugin check", {"'muster plugin check' takes one argument", "check FILE.so"});
  expect_refused("plugin new a b", {"'muster plugin new' takes one argument"});
}

TEST_F(BadUsage, UnknownOptions) {
  expect_refused("run wordcount text --ouput x",
                 {"error: no option '--ouput'", "hint: did you mean '--output'?"});
  expect_refused("run wordcount text --frobnicate", {"no option '--frobnicate'", "--help"});
  expect_refused("run wordcount text --out x", {"no option '--out'"});
  expect_refused("run wordcount text -Z", {"no option '-Z'"});
  expect_refused("run wordcount text -o", {"--output"});
  expect_refused("run wordcount text -o ''", {"--output is empty", "hint: "});
  expect_refused("run wordcount text --tmp ''", {"--tmp is empty", "hint: "});
  for (const char* command : {"run wordcount text", "plugin list", "plugin check wordcount"}) {
    expect_refused(std::string(command) + " --plugin-dir nowhere",
                   {"--plugin-dir: 'nowhere' is no directory", "hint: "});
  }
  expect_refused("plugin list --plugin-dri x", {"no option '--plugin-dri'", "--plugin-dir"});
}

TEST_F(BadUsage, MissingArguments) {
  expect_refused("run", {"no task given", "hint: "});
  expect_refused("run wordcount", {"no input given", "hint: "});
  expect_refused("run wordcount -o out", {"no input given"});
}

TEST_F(BadUsage, NumbersThatAreNone) {
  for (const char* value : {"0", "x", "-1", "1.5", "2x", "99999999999999999999"}) {
    expect_refused(fmt::format("run wordcount text -o out -j={}", value), {"--workers", "is not"});
    expect_refused(fmt::format("run wordcount text -o out --partitions={}", value),
                   {"--partitions", "is not"});
  }
  expect_refused("run wordcount text -o out --partitions 65537", {"--partitions 65537", "65536"});
  expect_refused("run wordcount text -o out -j 5000",
                 {"5000 processes are too many", "give 1 to 4096"});
}

TEST_F(BadUsage, SizesThatAreNone) {
  for (const char* value : {"abc", "-1", "1.5M", "8Q", "8MM", "M", "99999999999999999999"}) {
    expect_refused(fmt::format("run wordcount text -o out --chunk-size={}", value),
                   {"--chunk-size", "is not a size", "hint: "});
    expect_refused(fmt::format("run wordcount text -o out --memory={}", value),
                   {"--memory", "is not a size"});
  }
  expect_refused("run wordcount text -o out --chunk-size 0", {"--chunk-size cannot be 0"});
  expect_refused("run wordcount text -o out --chunk-size=0G", {"--chunk-size cannot be 0"});
}

TEST_F(BadUsage, AMemoryOfNothing) {
  expect_refused("run wordcount text -o out --memory 0", {"--memory"});
}

TEST_F(BadUsage, UnknownParametersListTheKnownOnes) {
  expect_refused(
      "run wordcount text -o out --set token=letters",
      {"task 'wordcount' has no parameter 'token'", "did you mean 'tokens'?", "tokens, case"});
  expect_refused("run wordcount text -o out --set colour=red",
                 {"has no parameter 'colour'", "its parameters are: tokens, case"});
}

TEST_F(BadUsage, SettingsThatDoNotFit) {
  expect_refused("run wordcount text -o out --set tokens=words",
                 {"parameter 'tokens' cannot be 'words'", "space|letters"});
  expect_refused("run wordcount text -o out --set tokens",
                 {"--set 'tokens' is not of the form name=value"});
  expect_refused("run wordcount text -o out --set =x", {"is not of the form name=value"});
  expect_refused("run wordcount text -o out --set case=keep --set case=lower",
                 {"parameter 'case' is set twice"});
  expect_refused("run grep text -o out", {"task 'grep' needs a pattern", "--set pattern=REGEX"});
  expect_refused("run grep text -o out --set 'pattern=(a'", {"parameter 'pattern'", "'(a'", ")"});
}

TEST_F(BadUsage, UnknownTasks) {
  expect_refused("run wordcuont text -o out",
                 {"no plugin provides a task 'wordcuont'", "did you mean 'wordcount'?"});
  expect_refused("run entirely-different text -o out",
                 {"no plugin provides a task 'entirely-different'", "were looked for in"});
  expect_refused("run wordcuont:wordcount text -o out",
                 {"no plugin is named 'wordcuont'", "did you mean 'wordcount'?"});
  expect_refused("run wordcount:count text -o out",
                 {"plugin 'wordcount' has no task 'count'", "its tasks are: wordcount"});
  expect_refused("run ./wordcount.so text -o out", {"plugin './wordcount.so' not found"});
}

TEST_F(BadUsage, AnswersForHelpAreNoErrors) {
  for (const char* arguments : {"--help", "help", "run --help", "plugin --help", "run -h"}) {
    const Finished result = run(shell(fmt::format("exec \"$MUSTER\" {}", arguments)));
    expect_ok(result);
    EXPECT_NE(result.out.find("Usage: muster"), std::string::npos) << arguments;
    EXPECT_EQ(result.err, "");
  }
  EXPECT_EQ(output_of(command({"version"})).rfind("muster ", 0), 0U);
  EXPECT_EQ(output_of(command({"--version"})), output_of(command({"version"})));
}

}  // namespace
}  // namespace muster::testing
