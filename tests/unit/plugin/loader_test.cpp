#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/plugin/loader.hpp>

namespace muster::plugin {
namespace {

namespace fs = std::filesystem;

const fs::path fixtures = FIXTURE_DIRECTORY;

template <class Body>
Error error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::broken, "nothing was thrown");
}

Error load_error(const fs::path& path) {
  return error_of([&] { LoadedPlugin::load(path); });
}

bool says(const Error& error, const std::string& text) {
  return std::string(error.what()).find(text) != std::string::npos;
}

TEST(LoadedPlugin, says_all_about_itself) {
  const LoadedPlugin& plugin = LoadedPlugin::load(fixtures / "good_plugin.so");
  const PluginInfo& info = plugin.info();
  EXPECT_EQ(info.name, "good");
  EXPECT_EQ(info.version, "2.1");
  EXPECT_EQ(info.abi_version, MUSTER_ABI_VERSION);
  EXPECT_NE(info.compiler, "");
  ASSERT_EQ(info.tasks.size(), 2U);
  EXPECT_EQ(info.tasks[0].name, "count");
  EXPECT_EQ(info.tasks[0].summary, "counts");
  EXPECT_EQ(info.tasks[0].kind, TaskKind::map_reduce);
  EXPECT_EQ(info.tasks[0].records, RecordFormat::words);
  EXPECT_FALSE(info.tasks[0].line_numbers);
  ASSERT_EQ(info.tasks[0].parameters.size(), 1U);
  EXPECT_EQ(info.tasks[0].parameters[0].default_value, "plain");
  EXPECT_EQ(info.tasks[1].kind, TaskKind::map);
  EXPECT_TRUE(info.tasks[1].line_numbers);
}

TEST(LoadedPlugin, is_loaded_once) {
  const fs::path path = fixtures / "good_plugin.so";
  EXPECT_EQ(&LoadedPlugin::load(path), &LoadedPlugin::load(path));
}

TEST(LoadedPlugin, gives_its_tasks_and_names_them_when_asked_for_others) {
  const LoadedPlugin& plugin = LoadedPlugin::load(fixtures / "good_plugin.so");
  EXPECT_STREQ(plugin.task("copy").name, "copy");
  const Error error = error_of([&] { static_cast<void>(plugin.task("cuont")); });
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_EQ(error.hint(), "its tasks are: count, copy");
}

TEST(LoadedPlugin, of_another_abi_is_refused_and_says_so) {
  const Error error = load_error(fixtures / "other_abi.so");
  EXPECT_EQ(error.code(), ErrorCode::plugin);
  EXPECT_TRUE(says(error, "ABI version: plugin 42, host 1")) << error.what();
  EXPECT_NE(error.hint().find("rebuild"), std::string::npos);
}

TEST(LoadedPlugin, of_other_sizes_is_refused_with_every_difference) {
  const Error error = load_error(fixtures / "other_sizes.so");
  EXPECT_EQ(error.code(), ErrorCode::plugin);
  EXPECT_TRUE(says(error, "descriptor size: plugin ")) << error.what();
  EXPECT_TRUE(says(error, "task size: plugin ")) << error.what();
}

TEST(LoadedPlugin, what_is_no_plugin_is_refused) {
  for (const char* name : {"no_symbol.so", "null_descriptor.so", "bad_magic.so"}) {
    const Error error = load_error(fixtures / name);
    EXPECT_EQ(error.code(), ErrorCode::plugin) << name;
    EXPECT_TRUE(says(error, name)) << error.what();
  }
  EXPECT_TRUE(says(load_error(fixtures / "no_symbol.so"), "muster_plugin_entry"));
  EXPECT_NE(load_error(fixtures / "no_symbol.so").hint(), "");
}

TEST(LoadedPlugin, that_describes_itself_wrongly_is_refused_with_what_is_wrong) {
  const std::pair<const char*, const char*> defects[] = {
      {"no_tasks", "it has no tasks"},
      {"unnamed", "it has no name"},
      {"unnamed_task", "a task has no name"},
      {"unknown_kind", "task 'one' is of the unknown kind 7"},
      {"unknown_records", "task 'one' reads records of the unknown format 9"},
      {"no_map", "task 'one' lacks one of its functions"},
      {"no_reduce", "task 'one' lacks one of its functions"},
      {"no_parameters", "task 'one' lacks its parameters"},
      {"unnamed_parameter", "task 'one' has a parameter without a name"},
      {"twins", "it has two tasks named 'one'"}};
  for (const auto& [name, message] : defects) {
    const Error error = load_error(fixtures / (std::string(name) + ".so"));
    EXPECT_EQ(error.code(), ErrorCode::plugin) << name;
    EXPECT_TRUE(says(error, std::string("describes itself wrongly: ") + message)) << error.what();
    EXPECT_TRUE(says(error, name)) << error.what();
    EXPECT_NE(error.hint(), "") << name;
  }
}

TEST(LoadedPlugin, what_is_no_shared_object_is_refused) {
  const TempDir scratch(default_temp_parent());
  const fs::path path = scratch.path() / "text.so";
  write_file_synced(path, "not an object");
  const Error error = load_error(path);
  EXPECT_EQ(error.code(), ErrorCode::plugin);
  EXPECT_TRUE(says(error, path.string()));
  EXPECT_EQ(load_error(scratch.path() / "none.so").code(), ErrorCode::usage);
  EXPECT_EQ(load_error(scratch.path()).code(), ErrorCode::usage) << "a directory";
}

TEST(TaskInstance, throws_what_the_task_reported) {
  const muster_task& task = LoadedPlugin::load(fixtures / "good_plugin.so").task("count");
  EXPECT_NO_THROW(TaskInstance(task, {{"mode", "plain"}}));
  const Error refused = error_of([&] { const TaskInstance made(task, {{"mode", "refused"}}); });
  EXPECT_EQ(refused.code(), ErrorCode::usage);
  EXPECT_STREQ(refused.what(), "parameter 'mode' cannot be 'refused': not today");
  const Error broken = error_of([&] { const TaskInstance made(task, {{"mode", "broken"}}); });
  EXPECT_EQ(broken.code(), ErrorCode::task);
  EXPECT_STREQ(broken.what(), "task 'count' threw int: not derived from std::exception");
  EXPECT_EQ(error_of([&] { const TaskInstance made(task, {}); }).code(), ErrorCode::usage);
}

class Trust : public ::testing::Test {
 protected:
  Trust() { write_file_synced(path_, "x"); }
  ErrorCode with_mode(mode_t mode) const {
    EXPECT_EQ(::chmod(path_.c_str(), mode), 0);
    return error_of([&] { check_trusted(path_); }).code();
  }
  const fs::path& path() const { return path_; }

 private:
  TempDir scratch_{default_temp_parent()};
  fs::path path_ = scratch_.path() / "plugin.so";
};

constexpr ErrorCode accepted = ErrorCode::broken;  // nothing was thrown

TEST_F(Trust, depends_on_who_else_may_write) {
  for (const mode_t mode : {0400U, 0600U, 0644U, 0755U}) EXPECT_EQ(with_mode(mode), accepted);
  for (const mode_t mode : {0602U, 0646U, 0666U, 0777U}) {
    EXPECT_EQ(with_mode(mode), ErrorCode::plugin) << mode;
  }
  const Error error = error_of([&] { check_trusted(path()); });
  EXPECT_EQ(error.hint(), "chmod go-w '" + path().string() + "'");
}

TEST_F(Trust, a_writing_group_is_accepted_only_if_it_is_the_owners_own) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  EXPECT_EQ(with_mode(0664), accepted) << "user 0, group 0";
  ASSERT_EQ(::chown(path().c_str(), 0, 12345), 0);
  EXPECT_EQ(with_mode(0664), ErrorCode::plugin);
  EXPECT_EQ(with_mode(0644), accepted);
}

TEST_F(Trust, a_file_of_somebody_else_is_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_EQ(::chown(path().c_str(), 12345, 12345), 0);
  EXPECT_EQ(with_mode(0644), ErrorCode::plugin);
  const Error error = error_of([&] { check_trusted(path()); });
  EXPECT_TRUE(says(error, "12345")) << error.what();
}

TEST_F(Trust, follows_a_link_to_what_would_be_loaded) {
  const fs::path link = path().parent_path() / "link.so";
  fs::create_symlink(path(), link);
  EXPECT_EQ(with_mode(0666), ErrorCode::plugin);
  EXPECT_EQ(error_of([&] { check_trusted(link); }).code(), ErrorCode::plugin);
  EXPECT_EQ(error_of([&] { check_trusted(path() / "below"); }).code(), ErrorCode::usage);
}

}  // namespace
}  // namespace muster::plugin
