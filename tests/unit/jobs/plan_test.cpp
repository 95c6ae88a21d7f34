#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/jobs/plan.hpp>

namespace muster::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mebi = std::uint64_t{1} << 20U;

class Planning : public ::testing::Test {
 protected:
  Planning() {
    write_file_synced(plugin(), "never loaded here");
    info_ = {"text", "1.2", "", "", 1, {}};
    info_.tasks.push_back({"count",
                           "",
                           plugin::TaskKind::map_reduce,
                           plugin::RecordFormat::words,
                           false,
                           {{"mode", "a", "a|b", ""}}});
    info_.tasks.push_back(
        {"grep", "", plugin::TaskKind::map, plugin::RecordFormat::lines, true, {}});
    inspector_.describe = [this](const fs::path& path) {
      described_ = path;
      return info_;
    };
    inspector_.check_settings = [this](const mapreduce::TaskRef& task) {
      checked_ = task;
      if (refuse_) throw Error(ErrorCode::usage, "refused by the task");
    };
    spec_.task = plugin().string() + ":count";
    spec_.inputs = {input("a", 1000)};
  }

  fs::path plugin() const { return scratch_.path() / "text.so"; }
  // A file of holes: it has a size and takes no room.
  std::string input(const char* name, std::uint64_t size) const {
    const fs::path path = scratch_.path() / name;
    write_file_synced(path, "");
    fs::resize_file(path, size);
    return path.string();
  }
  Plan plan() {
    return make_plan(spec_, 3, inspector_, [this]() -> const fs::path& { return scratch_.path(); });
  }
  Error refusal() {
    try {
      plan();
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::broken, "nothing was thrown");
  }

  TempDir scratch_{default_temp_parent()};
  plugin::PluginInfo info_;
  PluginInspector inspector_;
  JobSpec spec_;
  fs::path described_;
  std::optional<mapreduce::TaskRef> checked_;
  bool refuse_ = false;
};

TEST_F(Planning, makes_everything_definite) {
  spec_.settings = {{"mode", "b"}};
  spec_.inputs.push_back(input("b", 500));
  const Plan made = plan();
  EXPECT_EQ(made.task.plugin, plugin());
  EXPECT_EQ(made.task.task, "count");
  ASSERT_EQ(made.task.settings.size(), 1U);
  EXPECT_EQ(made.task.settings[0].value, "b");
  EXPECT_EQ(made.plugin_name, "text");
  EXPECT_EQ(made.plugin_version, "1.2");
  EXPECT_EQ(made.files.size(), 2U);
  EXPECT_EQ(made.input_bytes, 1500U);
  EXPECT_EQ(made.workers, 3U);
  EXPECT_EQ(made.partitions, 1U) << "small input";
  EXPECT_EQ(made.chunks.size(), 1U);
  EXPECT_FALSE(made.map_only());
  EXPECT_EQ(described_, plugin());
  ASSERT_TRUE(checked_);
  EXPECT_EQ(checked_->settings.at(0).value, "b");
}

TEST_F(Planning, fills_in_defaults) {
  const Plan made = plan();
  EXPECT_EQ(made.task.settings.at(0).value, "a");
  EXPECT_EQ(made.workers, 3U);
  EXPECT_GE(made.memory_bytes, 64 * mebi);
  EXPECT_LE(made.memory_bytes, 2048 * mebi);
}

TEST_F(Planning, takes_the_numbers_given) {
  spec_.partitions = 17;
  spec_.memory_bytes = 12'345'678;
  spec_.chunk_bytes = 300;
  const Plan made = plan();
  EXPECT_EQ(made.partitions, 17U);
  EXPECT_EQ(made.memory_bytes, 12'345'678U);
  EXPECT_EQ(made.chunks.size(), 4U);
}

TEST_F(Planning, partitions_grow_with_the_input) {
  const auto partitions_for = [&](std::uint64_t size) {
    spec_.inputs = {input("large", size)};
    return plan().partitions;
  };
  EXPECT_EQ(partitions_for(4 * mebi), 1U);
  EXPECT_EQ(partitions_for(4 * mebi + 1), 3U) << "one for each worker";
  EXPECT_EQ(partitions_for(6400 * mebi), 100U);
  EXPECT_EQ(partitions_for(mebi * mebi), 1024U);
}

TEST_F(Planning, a_stop_is_seen_after_the_last_file_too) {
  int checks = 0;
  inspector_.check_stop = [&] { ++checks; };
  plan();
  EXPECT_EQ(checks, 2) << "for the one file, and at the end";
  inspector_.check_stop = [&] {
    if (--checks == 0) throw Error(ErrorCode::cancelled, "cancelled");
  };
  EXPECT_EQ(refusal().code(), ErrorCode::cancelled);
}

TEST_F(Planning, an_empty_input_is_a_job_without_chunks) {
  spec_.inputs = {input("empty", 0)};
  const Plan made = plan();
  EXPECT_TRUE(made.chunks.empty());
  EXPECT_EQ(made.partitions, 1U);
  const observe::JobPlanned summary = describe(made);
  EXPECT_EQ(summary.chunks, 0U);
  EXPECT_EQ(summary.chunk_bytes_smallest, 0U);
}

TEST_F(Planning, refuses_numbers_out_of_range) {
  spec_.partitions = 0;
  EXPECT_EQ(refusal().code(), ErrorCode::usage);
  spec_.partitions = 65537;
  EXPECT_EQ(refusal().code(), ErrorCode::usage);
  spec_.partitions = 65536;
  EXPECT_EQ(plan().partitions, 65536U);
}

// A caller of the library has no command line in front of it that refuses this.
TEST_F(Planning, refuses_chunks_of_no_bytes) {
  spec_.chunk_bytes = 0;
  EXPECT_EXIT(::_exit(refusal().code() == ErrorCode::usage ? 0 : 1), ::testing::ExitedWithCode(0),
              "");
}

TEST_F(Planning, refuses_what_does_not_exist_or_fit) {
  spec_.inputs = {"no such input"};
  EXPECT_EQ(refusal().code(), ErrorCode::usage);
  spec_.inputs = {};
  EXPECT_EQ(refusal().code(), ErrorCode::usage);
  spec_.inputs = {input("a", 10)};
  spec_.settings = {{"mode", "c"}};
  EXPECT_EQ(refusal().code(), ErrorCode::usage);
  spec_.settings = {{"mood", "a"}};
  EXPECT_EQ(refusal().code(), ErrorCode::usage);
  spec_.settings = {};
  refuse_ = true;
  EXPECT_STREQ(refusal().what(), "refused by the task");
}

TEST_F(Planning, a_bad_plugin_is_reported_as_it_is) {
  inspector_.describe = [](const fs::path&) -> plugin::PluginInfo {
    throw Error(ErrorCode::plugin, "not one");
  };
  EXPECT_EQ(refusal().code(), ErrorCode::plugin);
}

TEST_F(Planning, a_task_may_be_left_out_if_it_is_clear_which) {
  const auto resolved = [&](const std::string& name) {
    return resolve_task(name, {scratch_.path()}, inspector_).task.name;
  };
  EXPECT_EQ(resolved("text:grep"), "grep");
  EXPECT_EQ(resolved(plugin().string() + ":count"), "count");
  try {
    resolved("text");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_STREQ(error.what(), "plugin 'text' has no task 'text'");
    EXPECT_EQ(error.hint(), "its tasks are: count, grep");
  }
  info_.tasks[1].name = "text";
  EXPECT_EQ(resolved("text"), "text") << "the one of the plugin's name";
  info_.tasks.pop_back();
  EXPECT_EQ(resolved("text"), "count") << "the only one";
  EXPECT_THROW(resolved("text:text"), Error);
  EXPECT_THROW(resolved("nothing"), Error);
}

TEST_F(Planning, a_task_is_found_in_whatever_plugin_has_it) {
  write_file_synced(scratch_.path() / "a_bad_one.so", "");
  write_file_synced(scratch_.path() / "other.so", "");
  info_.tasks[1].name = "search";
  inspector_.describe = [&](const fs::path& path) {
    if (path.stem() == "a_bad_one") throw Error(ErrorCode::plugin, "not one");
    plugin::PluginInfo info = info_;
    if (path.stem() == "other") info.tasks.pop_back();
    if (path.parent_path() != scratch_.path()) info.tasks.clear();  // Muster's own
    return info;
  };
  spec_.plugin_directories = {scratch_.path()};
  spec_.task = "search";
  EXPECT_EQ(plan().task.plugin, plugin()) << "a bad plugin hides no other";
  EXPECT_EQ(plan().task.task, "search");
  spec_.task = "count";
  EXPECT_STREQ(refusal().what(), "several plugins provide a task 'count'");
  EXPECT_EQ(refusal().hint(), "choose one of: other:count, text:count");
  spec_.task = "saerch";
  EXPECT_STREQ(refusal().what(), "no plugin provides a task 'saerch'");
  EXPECT_EQ(refusal().hint(), "did you mean 'search'? 'muster plugin list' shows all");
  spec_.task = "txet:search";
  EXPECT_STREQ(refusal().what(), "no plugin is named 'txet'");
}

TEST_F(Planning, a_map_only_task_has_no_partitions_to_show) {
  spec_.task = "text:grep";
  spec_.plugin_directories = {scratch_.path()};
  const Plan made = plan();
  EXPECT_TRUE(made.map_only());
  EXPECT_EQ(describe(made).partitions, 0U);
}

TEST_F(Planning, describes_itself) {
  spec_.inputs = {input("a", 1000), input("b", 500)};
  spec_.chunk_bytes = 700;
  const Plan made = plan();
  const observe::JobPlanned summary = describe(made);
  EXPECT_EQ(summary.task, "count");
  EXPECT_EQ(summary.plugin, plugin().string());
  EXPECT_EQ(summary.files, 2U);
  EXPECT_EQ(summary.input_bytes, 1500U);
  EXPECT_EQ(summary.chunks, 3U);
  EXPECT_EQ(summary.chunk_bytes_largest, 700U);
  EXPECT_EQ(summary.chunk_bytes_smallest, 100U);
  EXPECT_EQ(summary.workers, 3U);
  const auto ranges = input_ranges(made, made.chunks.at(1));
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].offset, 700U);
  EXPECT_EQ(ranges[0].length, 300U);
  EXPECT_EQ(ranges[0].file_size, 1000U);
  EXPECT_EQ(ranges[1].length, 400U);
  EXPECT_EQ(ranges[1].name, spec_.inputs[1]);
}

}  // namespace
}  // namespace muster::jobs
