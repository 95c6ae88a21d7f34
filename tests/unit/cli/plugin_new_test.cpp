#include <filesystem>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cli/plugin_new.hpp>

namespace muster::cli {
namespace {

namespace fs = std::filesystem;

class PluginNew : public ::testing::Test {
 protected:
  const fs::path& parent() const { return scratch_.path(); }

  std::string written(const std::string& name, const std::string& file) const {
    write_plugin_project(name, parent());
    return read_file(parent() / name / file);
  }
  ErrorCode refusal(const std::string& name) const {
    try {
      write_plugin_project(name, parent());
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::broken;  // stands for: written
  }

 private:
  TempDir scratch_{default_temp_parent()};
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(PluginNew, writes_a_project_with_the_names_filled_in) {
  write_plugin_project("longest_line", parent());
  const fs::path project = parent() / "longest_line";
  std::set<std::string> files;
  for (const auto& each : fs::directory_iterator(project)) {
    files.insert(each.path().filename().string());
    const std::string text = read_file(each.path());
    EXPECT_FALSE(holds(text, "@NAME@")) << each.path();
    EXPECT_FALSE(holds(text, "@TYPE@")) << each.path();
    EXPECT_FALSE(text.empty()) << each.path();
  }
  EXPECT_EQ(files, (std::set<std::string>{"CMakeLists.txt", "longest_line.cpp",
                                          "longest_line_test.cpp", "sample.txt"}));
  const std::string source = read_file(project / "longest_line.cpp");
  EXPECT_TRUE(holds(source, "struct LongestLine {"));
  EXPECT_TRUE(holds(source, "MUSTER_PLUGIN(longest_line, "));
  EXPECT_TRUE(holds(source, "add_map_reduce<LongestLine>(\"longest_line\")"));
  EXPECT_TRUE(holds(read_file(project / "longest_line_test.cpp"), "\"longest_line.cpp\""));
  EXPECT_TRUE(holds(read_file(project / "CMakeLists.txt"),
                    "muster_add_plugin(longest_line SOURCES longest_line.cpp TESTS "
                    "longest_line_test.cpp)"));
}

TEST_F(PluginNew, makes_a_type_name_of_any_name) {
  EXPECT_TRUE(holds(written("x", "x.cpp"), "struct X {"));
  EXPECT_TRUE(holds(written("a1_b2_", "a1_b2_.cpp"), "struct A1B2 {"));
  EXPECT_TRUE(holds(written("a__b", "a__b.cpp"), "struct AB {"));
  EXPECT_TRUE(holds(written("a_1b", "a_1b.cpp"), "struct A1b {"));
}

TEST_F(PluginNew, refuses_what_is_no_name) {
  for (const char* name :
       {"", "1a", "_a", "A", "aB", "a-b", "a b", "a/b", "../a", ".", "a.b", "\xc3\xa4", "@NAME@"}) {
    EXPECT_EQ(refusal(name), ErrorCode::usage) << name;
  }
  EXPECT_EQ(refusal(std::string(65, 'a')), ErrorCode::usage);
  EXPECT_EQ(refusal(std::string(64, 'a')), ErrorCode::broken);
  EXPECT_EQ(std::distance(fs::directory_iterator(parent()), fs::directory_iterator()), 2)
      << "the scratch's lock and the one good name";
}

// "It builds, tests and runs as it is": CMake keeps these names for targets of its own, and the
// test of the template has a type named Results.
TEST_F(PluginNew, refuses_names_that_would_not_build) {
  for (const char* name : {"test", "all", "install", "clean", "help", "package", "results"}) {
    EXPECT_EQ(refusal(name), ErrorCode::usage) << name;
  }
}

TEST_F(PluginNew, leaves_alone_what_is_there) {
  fs::create_directory(parent() / "mine");
  write_file_synced(parent() / "mine" / "mine.cpp", "precious");
  EXPECT_EQ(refusal("mine"), ErrorCode::usage);
  EXPECT_EQ(read_file(parent() / "mine" / "mine.cpp"), "precious");
  write_file_synced(parent() / "file", "x");
  EXPECT_NE(refusal("file"), ErrorCode::broken);
  EXPECT_EQ(read_file(parent() / "file"), "x");
}

TEST_F(PluginNew, into_a_directory_that_is_not_there_is_an_error_that_leaves_nothing) {
  EXPECT_THROW(write_plugin_project("a", parent() / "none"), Error);
  EXPECT_FALSE(fs::exists(parent() / "none"));
}

}  // namespace
}  // namespace muster::cli
