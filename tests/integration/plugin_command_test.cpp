// muster plugin list, check and new.
#include <csignal>

#include <fmt/format.h>

#include "support/muster_test.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;

class PluginCommand : public MusterTest {
 protected:
  Finished check(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"plugin", "check"});
    return muster(arguments);
  }
};

TEST_F(PluginCommand, ListShowsTasksAndParameters) {
  const std::string out = output_of(command({"plugin", "list"}));
  for (const char* each : {"wordcount 1.0.0", "grep 1.0.0", "--set tokens=space|letters",
                           "--set pattern=", "map-only", "map-reduce"}) {
    EXPECT_NE(out.find(each), std::string::npos) << each << "\n" << out;
  }
}

TEST_F(PluginCommand, ListShowsTheGoodOnesBesideABadOne) {
  output_of(shell(fmt::format("mkdir d; cp '{}' '{}' d; echo rubbish > d/rubbish.so",
                              plugin("two_tasks"), plugin("static_crash"))));
  const Finished result = muster({"plugin", "list", "--plugin-dir", "d"});
  EXPECT_EQ(result.exit_code, 2) << result.text();
  for (const char* each : {"count_lines", "echo_lines", "wordcount"}) {
    EXPECT_NE(result.out.find(each), std::string::npos) << each << "\n" << result.text();
  }
  for (const char* each : {"rubbish.so", "static_crash.so"}) {
    EXPECT_NE(result.err.find(each), std::string::npos) << each << "\n" << result.text();
  }
}

TEST_F(PluginCommand, CheckPassesWhatIsSound) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {installed_plugin("wordcount").string()},
           {installed_plugin("grep").string(), "--set", "pattern=A1"},
           {plugin("two_tasks")}}) {
    const Finished result = check(arguments);
    expect_ok(result);
    for (const char* each : {"ABI       1", "ok      ", "deterministic", "chunking"}) {
      EXPECT_NE(result.out.find(each), std::string::npos) << each << "\n" << result.text();
    }
    EXPECT_EQ(result.out.find("FAILED"), std::string::npos) << result.text();
  }
}

// Nothing was found to be sound, so nothing says that it is.
TEST_F(PluginCommand, CheckSkipsWhatRefusesItsDefaults) {
  const Finished result = check({installed_plugin("grep").string()});
  EXPECT_EQ(result.exit_code, 2) << result.text();
  EXPECT_NE(result.out.find("  skipped grep: "), std::string::npos) << result.text();
  EXPECT_EQ(result.out.find("  ok "), std::string::npos) << result.text();
  EXPECT_NE(result.err.find("no task was checked"), std::string::npos) << result.text();
}

TEST_F(PluginCommand, CheckGivesEachTaskTheSettingsItDeclares) {
  const Finished result = check({plugin("faulty"), "--set", "fault=slow"});
  expect_ok(result);
  for (const char* each : {"ok      faulty: independent", "ok      reduce_fault: independent"}) {
    EXPECT_NE(result.out.find(each), std::string::npos) << each << "\n" << result.text();
  }
  EXPECT_EQ(result.out.find("skipped"), std::string::npos) << result.text();
}

TEST_F(PluginCommand, CheckRefusesSettingsThatFitNoTask) {
  for (const auto& [setting, text] : std::vector<std::pair<std::string, std::string>>{
           {"fualt=slow", "no task has a parameter 'fualt'"},
           {"fault=fast", "parameter 'fault' cannot be 'fast'"}}) {
    const Finished result = check({plugin("faulty"), "--set", setting});
    EXPECT_EQ(result.exit_code, 2) << result.text();
    EXPECT_NE(result.err.find(text), std::string::npos) << result.text();
  }
  const Finished other = check({plugin("faulty") + ":reduce_fault", "--set", "fault=slow"});
  EXPECT_EQ(other.exit_code, 2) << "the task that has it is not checked\n" << other.text();
}

TEST_F(PluginCommand, CheckTakesOneTaskAlone) {
  const Finished result = check({plugin("two_tasks") + ":echo_lines"});
  expect_ok(result);
  EXPECT_NE(result.out.find("ok      echo_lines: "), std::string::npos) << result.text();
  EXPECT_EQ(result.out.find("count_lines"), std::string::npos) << result.text();
  expect_error(check({plugin("two_tasks") + ":wc"}), 2, {"plugin 'two_tasks' has no task 'wc'"});
}

TEST_F(PluginCommand, CheckLooksInTheDirectoriesGiven) {
  output_of(shell(fmt::format("mkdir d; cp '{}' d", plugin("two_tasks"))));
  expect_error(check({"two_tasks"}), 2, {"no plugin is named 'two_tasks'"});
  expect_ok(check({"two_tasks", "--plugin-dir", "d"}));
  expect_ok(check({"two_tasks:echo_lines", "--plugin-dir", "d"}));
}

TEST_F(PluginCommand, OptionsThatWouldMeanNothingAreRefused) {
  expect_error(muster({"plugin", "list", "--set", "a=b"}), 2,
               {"'muster plugin list' takes no --set"});
  expect_error(muster({"plugin", "list", "wordcount"}), 2, {"takes no argument"});
  expect_error(muster({"plugin", "new", "x", "--set", "a=b"}), 2, {"takes no --set"});
  expect_error(muster({"plugin", "new", "x", "--plugin-dir", "d"}), 2, {"takes no --plugin-dir"});
  EXPECT_EQ(names_in(work()), std::vector<std::string>());
}

// The plugin never returns from being loaded; that it is being loaded, a file says.
TEST_F(PluginCommand, AnInterruptEndsListAndCheck) {
  output_of(shell(fmt::format("mkdir d; cp '{}' d", plugin("stuck"))));
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"plugin", "list", "--plugin-dir", "d"}, {"plugin", "check", "d/stuck.so"}}) {
    Command job = command(arguments);
    job.environment.push_back("STUCK_MARK=" + path("loaded").string());
    Running running(job);
    ASSERT_TRUE(eventually([this] { return fs::exists(path("loaded")); }));
    running.send(SIGINT);
    const Finished result = running.wait();
    EXPECT_EQ(result.exit_code, 130) << result.text();
    EXPECT_NE(result.err.find("error: interrupted"), std::string::npos) << result.text();
    fs::remove(path("loaded"));
  }
}

// A task that has not its plugin's name is known by its own all the same.
TEST_F(PluginCommand, WhatListShowsCanBeRun) {
  output_of(
      shell(fmt::format("mkdir d; cp '{}' d; echo rubbish > d/rubbish.so", plugin("two_tasks"))));
  write("text", "a\nb\n");
  EXPECT_EQ(output_of(command({"run", "--plugin-dir", "d", "count_lines", "-q", "text"})),
            "lines\t2\n");
  expect_error(muster({"run", "--plugin-dir", "d", "count_liens", "text"}), 2,
               {"no plugin provides a task 'count_liens'", "did you mean 'count_lines'?"});
}

TEST_F(PluginCommand, CheckFailsACombineThatIsNotAssociative) {
  const Finished result = check({plugin("not_associative")});
  EXPECT_EQ(result.exit_code, 1) << result.text();
  EXPECT_NE(result.out.find("FAILED  not_associative: independent of chunking"), std::string::npos)
      << result.text();
  EXPECT_NE(result.out.find("first difference"), std::string::npos) << result.text();
}

TEST_F(PluginCommand, CheckFailsWhatIsNotDeterministic) {
  const Finished result = check({plugin("unsteady")});
  EXPECT_EQ(result.exit_code, 1) << result.text();
  EXPECT_NE(result.out.find("FAILED  unsteady: deterministic"), std::string::npos) << result.text();
}

TEST_F(PluginCommand, CheckRefusesWhatIsNoPlugin) {
  expect_error(check({plugin("other_abi")}), 2, {"ABI version: plugin 99, host 1"});
  expect_error(check({plugin("static_crash")}), 2, {"ended the process that loaded it"});
  expect_error(check({"./missing.so"}), 2, {"plugin './missing.so' not found"});
}

TEST_F(PluginCommand, NewWritesAProject) {
  const Finished result = muster({"plugin", "new", "longest_line"});
  expect_ok(result);
  EXPECT_NE(result.out.find("longest_line/ written"), std::string::npos) << result.text();
  EXPECT_EQ(names_in(path("longest_line")),
            (std::vector<std::string>{"CMakeLists.txt", "longest_line.cpp", "longest_line_test.cpp",
                                      "sample.txt"}));
  for (const std::string& each : names_in(path("longest_line"))) {
    const std::string text = read(path("longest_line/" + each));
    EXPECT_FALSE(text.empty()) << each;
    EXPECT_EQ(text.find('@'), std::string::npos) << each;
  }
  EXPECT_NE(read(path("longest_line/longest_line.cpp")).find("struct LongestLine"),
            std::string::npos);
}

TEST_F(PluginCommand, NewRefusesBadNames) {
  for (const std::string name : {"Upper", "9lives", "with-dash", "a/b", "..", "", "_x", "a b"}) {
    expect_error(muster({"plugin", "new", name}), 2,
                 {fmt::format("'{}' cannot be a plugin's name", name), "hint: "});
  }
  expect_error(muster({"plugin", "new", std::string(65, 'a')}), 2, {"cannot be a plugin's name"});
  EXPECT_EQ(names_in(work()), std::vector<std::string>());
}

// Names that C++ or CMake would choke on make a project that does not build.
TEST_F(PluginCommand, NewRefusesNamesThatCannotBuild) {
  for (const char* name : {"int", "class", "test", "all"}) {
    expect_error(muster({"plugin", "new", name}), 2, {fmt::format("'{}' cannot be", name)});
    EXPECT_FALSE(fs::exists(path(name)));
  }
}

TEST_F(PluginCommand, NewLeavesWhatExists) {
  write("mine/file", "mine");
  write("other", "a file");
  expect_error(muster({"plugin", "new", "mine"}), 2, {"/mine' already exists", "hint: "});
  EXPECT_EQ(names_in(path("mine")), std::vector<std::string>{"file"});
  const Finished result = muster({"plugin", "new", "other"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_EQ(read(path("other")), "a file");
}

}  // namespace
}  // namespace muster::testing
