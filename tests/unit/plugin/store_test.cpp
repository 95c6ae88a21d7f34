#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/plugin/store.hpp>

namespace muster::plugin {
namespace {

namespace fs = std::filesystem;
using Paths = std::vector<fs::path>;

void expect_name(std::string_view text, const char* plugin, const char* task, bool file) {
  const TaskName name = parse_task_name(text);
  EXPECT_EQ(name.plugin, plugin) << text;
  EXPECT_EQ(name.task, task) << text;
  EXPECT_EQ(name.is_file(), file) << text;
}

TEST(ParseTaskName, tells_plugin_task_and_file_apart) {
  expect_name("wordcount", "wordcount", "", false);
  expect_name("text:wordcount", "text", "wordcount", false);
  expect_name("./text.so:wordcount", "./text.so", "wordcount", true);
  expect_name("./text.so", "./text.so", "", true);
  expect_name("text.so", "text.so", "", true);
  expect_name("/a:b/text.so", "/a:b/text.so", "", true);
  expect_name("/a:b/text.so:t", "/a:b/text.so", "t", true);
  expect_name("dir/", "dir/", "", true);
  expect_name("text:", "text", "", false);
  expect_name(":t", "", "t", false);
  expect_name("", "", "", false);
}

class Store : public ::testing::Test {
 protected:
  Store() {
    const char* named = std::getenv("MUSTER_PLUGIN_PATH");
    if (named != nullptr) before_ = named;
    ::unsetenv("MUSTER_PLUGIN_PATH");
  }
  ~Store() override { ::setenv("MUSTER_PLUGIN_PATH", before_.c_str(), 1); }

  fs::path dir(const char* name) const { return scratch_.path() / name; }
  fs::path put(const char* directory, const char* file) const {
    fs::create_directories(dir(directory));
    write_file_synced(dir(directory) / file, "x");
    return dir(directory) / file;
  }

  static Error refusal(const char* name, const Paths& directories) {
    try {
      find_plugin(parse_task_name(name), directories);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::broken, "nothing was thrown");
  }

 private:
  TempDir scratch_{default_temp_parent()};
  std::string before_;
};

TEST_F(Store, looks_in_given_directories_then_the_variable_then_its_own) {
  ::setenv("MUSTER_PLUGIN_PATH", "/one:/two::three:", 1);
  const Paths found = plugin_directories({"/given", "rel"});
  ASSERT_EQ(found.size(), 7U);
  EXPECT_EQ(Paths(found.begin(), found.begin() + 5),
            (Paths{"/given", "rel", "/one", "/two", "three"}));
  const fs::path root = fs::read_symlink("/proc/self/exe").parent_path().parent_path();
  EXPECT_EQ(found[5], root / "plugins");
  EXPECT_EQ(found[6], root / "lib/muster/plugins");
  for (const char* none : {"", ":", ":::"}) {
    ::setenv("MUSTER_PLUGIN_PATH", none, 1);
    EXPECT_EQ(plugin_directories({}).size(), 2U) << none;
  }
}

TEST_F(Store, lists_shared_objects_sorted_and_the_first_of_a_name) {
  put("one", "b.so");
  put("one", "a.so");
  put("one", "notes.txt");
  put("one", "libx.so.1");
  put("two", "b.so");
  put("two", "c.so");
  EXPECT_EQ(plugin_files({dir("one"), dir("none"), dir("two")}),
            (Paths{dir("one") / "a.so", dir("one") / "b.so", dir("two") / "c.so"}));
  EXPECT_TRUE(plugin_files({}).empty());
}

TEST_F(Store, finds_by_name_the_first_there_is) {
  const fs::path first = put("one", "count.so");
  put("two", "count.so");
  const fs::path other = put("two", "grep.so");
  const Paths both = {dir("one"), dir("two")};
  EXPECT_EQ(find_plugin(parse_task_name("count"), both), first);
  EXPECT_EQ(find_plugin(parse_task_name("grep:x"), both), other);
}

TEST_F(Store, finds_a_file_wherever_it_is) {
  const fs::path file = put("one", "count.so");
  EXPECT_EQ(find_plugin(parse_task_name(file.string() + ":t"), {}), file);
  const fs::path before = fs::current_path();
  fs::current_path(dir("one"));
  const fs::path found = find_plugin(parse_task_name("count.so"), {});
  const fs::path dotted = find_plugin(parse_task_name("./count.so"), {});
  fs::current_path(before);
  EXPECT_TRUE(found.is_absolute());
  EXPECT_TRUE(fs::equivalent(found, file));
  EXPECT_TRUE(fs::equivalent(dotted, file));
}

TEST_F(Store, says_what_was_probably_meant) {
  const fs::path file = put("one", "wordcount.so");
  const Error name = refusal("wordcuont", {dir("one")});
  EXPECT_EQ(name.code(), ErrorCode::usage);
  EXPECT_NE(std::string(name.what()).find("'wordcuont'"), std::string::npos);
  EXPECT_EQ(name.hint(), "did you mean 'wordcount'? 'muster plugin list' shows all");
  const Error path = refusal((dir("one") / "wordcont.so").c_str(), {});
  EXPECT_EQ(path.code(), ErrorCode::usage);
  EXPECT_EQ(path.hint(), "did you mean '" + file.string() + "'?");
}

TEST_F(Store, says_where_it_looked) {
  const Error error = refusal("nothing", {dir("one"), dir("two")});
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_EQ(error.hint(),
            "plugins were looked for in (--plugin-dir and $MUSTER_PLUGIN_PATH name more):\n    " +
                dir("one").string() + "\n    " + dir("two").string());
  EXPECT_EQ(refusal("/no/such/dir/x.so", {}).code(), ErrorCode::usage);
  EXPECT_EQ(refusal("", {dir("one")}).code(), ErrorCode::usage);
}

}  // namespace
}  // namespace muster::plugin
