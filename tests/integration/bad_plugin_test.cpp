// Shared objects that are no plugins, or must not be trusted.
#include <fmt/format.h>

#include "support/muster_test.hpp"

namespace muster::testing {
namespace {

class BadPlugin : public MusterTest {
 protected:
  void SetUp() override { write("text", "a b\n"); }

  void expect_refused(const std::string& task,
                      std::initializer_list<std::string_view> texts) const {
    SCOPED_TRACE(task);
    const auto before = names_in(work());
    expect_error(muster({"run", task, "text", "-o", "out"}), 2, texts);
    EXPECT_EQ(names_in(work()), before);
  }
};

TEST_F(BadPlugin, MissingFiles) {
  output_of(shell(fmt::format("cp '{}' mine.so", plugin("two_tasks"))));
  expect_refused("./mime.so:count_lines",
                 {"plugin './mime.so' not found", "did you mean './mine.so'?"});
  expect_refused("no/such/dir/x.so", {"plugin 'no/such/dir/x.so' not found"});
}

TEST_F(BadPlugin, FilesThatAreNoSharedObjects) {
  write("notes.so", "this is a text\n");
  expect_refused("./notes.so", {"notes.so' cannot be loaded"});
  write("empty.so", "");
  expect_refused("./empty.so", {"empty.so' cannot be loaded"});
  output_of(shell("mkdir dir.so"));
  expect_refused("./dir.so", {"dir.so' is not a file"});
  output_of(
      shell(fmt::format("head -c 3000 '{}' > half.so", installed_plugin("wordcount").string())));
  expect_refused("./half.so", {"half.so'"});
}

TEST_F(BadPlugin, SharedObjectsThatAreNoPlugins) {
  output_of(
      shell("cp -L \"$(ldconfig -p 2>/dev/null | awk '/libm.so.6/ { print $NF; exit }' || "
            "true)\" libm.so 2>/dev/null || cp -L /lib/*-linux-gnu/libm.so.6 libm.so"));
  expect_refused("./libm.so", {"libm.so' is not a Muster plugin", "muster_plugin_entry()",
                               "hint: ", "muster plugin new"});
}

TEST_F(BadPlugin, AnotherAbiVersion) {
  expect_refused(plugin("other_abi"), {"does not fit this Muster", "ABI version: plugin 99, host 1",
                                       "hint: rebuild the plugin"});
}

TEST_F(BadPlugin, CountsThatAreNotThoseOfWhatItWrote) {
  expect_error(muster({"run", plugin("liar") + ":claims", "text", "-o", "out"}), 2,
               {"the plugin says that it wrote 3 records, and wrote 0"});
  expect_error(muster({"run", plugin("liar") + ":loses", "text", "-o", "out"}), 2,
               {"the plugin wrote 5 bytes of output as 0 lines"});
  EXPECT_EQ(names_in(work()), std::vector<std::string>{"text"});
}

TEST_F(BadPlugin, OneThatOthersMayWriteTo) {
  output_of(shell(fmt::format("cp '{}' mine.so; chmod 757 mine.so", plugin("two_tasks"))));
  expect_refused("./mine.so:count_lines",
                 {"refusing to load", "mine.so'", "others may write to it", "chmod go-w"});
  output_of(shell("chmod go-w mine.so"));
  EXPECT_EQ(output_of(command({"run", "./mine.so:count_lines", "-q", "text"})), "lines\t1\n");
}

TEST_F(BadPlugin, OneThatCrashesWhenLoaded) {
  expect_refused(plugin("static_crash"),
                 {"static_crash.so' ended the process that loaded it", "SIGABRT"});
}

TEST_F(BadPlugin, OneWhoseConstructorThrowsOrCrashes) {
  const std::string faulty = plugin("faulty");
  expect_error(muster({"run", faulty, "--set", "fault=constructor", "text", "-o", "out"}), 1,
               {"thrown by the constructor", "std::runtime_error"});
  expect_error(muster({"run", faulty, "--set", "fault=constructor_crash", "text", "-o", "out"}), 2,
               {"faulty.so' ended the process that loaded it", "SIGSEGV"});
  EXPECT_EQ(names_in(work()), std::vector<std::string>{"text"});
}

TEST_F(BadPlugin, AnUnknownTaskOfAPluginListsItsTasks) {
  expect_refused(plugin("two_tasks") + ":lines",
                 {"plugin 'two_tasks' has no task 'lines'", "count_lines, echo_lines"});
  expect_refused(plugin("two_tasks"), {"its tasks are: count_lines, echo_lines"});
  EXPECT_EQ(output_of(command({"run", plugin("two_tasks") + ":echo_lines", "-q", "text"})),
            "a b\n");
}

TEST_F(BadPlugin, PluginDirectoriesAreSearchedInOrder) {
  output_of(shell(fmt::format("mkdir d; cp '{}' d/wordcount.so; cp '{}' d/other.so",
                              plugin("two_tasks"), plugin("not_associative"))));
  EXPECT_EQ(output_of(command({"run", "--plugin-dir", "d", "wordcount:count_lines", "-q", "text"})),
            "lines\t1\n");
  Command by_environment = command({"run", "wordcount:count_lines", "-q", "text"});
  by_environment.environment.push_back("MUSTER_PLUGIN_PATH=/no/such::" + path("d").string());
  EXPECT_EQ(output_of(by_environment), "lines\t1\n");
}

}  // namespace
}  // namespace muster::testing
