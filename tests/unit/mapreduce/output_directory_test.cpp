#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/mapreduce/output_directory.hpp>

namespace muster::mapreduce {
namespace {

namespace fs = std::filesystem;

class Output : public ::testing::Test {
 protected:
  fs::path out() const { return scratch_.path() / "w" / "out"; }
  fs::path work() const { return scratch_.path() / "w"; }
  void SetUp() override { fs::create_directory(work()); }

  static std::set<std::string> names(const fs::path& directory) {
    std::set<std::string> found;
    for (const auto& each : fs::directory_iterator(directory)) {
      found.insert(each.path().filename().string());
    }
    return found;
  }

  static void add_part(OutputDirectory& output, std::uint32_t part, const std::string& text) {
    const fs::path attempt = output.staging() / ("attempt-" + std::to_string(part));
    write_file_synced(attempt, text);
    output.adopt(attempt, part, 3);
  }

  void commit_old_output() const {
    OutputDirectory old(out(), false);
    add_part(old, 0, "old");
    add_part(old, 1, "old");
    old.commit("{\"old\":1}");
  }

  template <class Body>
  static ErrorCode refusal(Body&& body) {
    try {
      body();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()), "");
      return error.code();
    }
    return ErrorCode::broken;  // stands for: taken
  }

 private:
  TempDir scratch_{default_temp_parent()};
};

using NameSet = std::set<std::string>;

TEST_F(Output, appears_as_a_whole_at_commit) {
  OutputDirectory output(out(), false);
  EXPECT_EQ(output.final_path(), out());
  EXPECT_EQ(output.staging().parent_path(), work());
  add_part(output, 0, "zero");
  add_part(output, 12345, "more");
  EXPECT_FALSE(fs::exists(out()));
  output.commit("{}");
  EXPECT_EQ(names(out()), (NameSet{"_MANIFEST.json", "part-00000", "part-12345"}));
  EXPECT_EQ(read_file(out() / "part-12345"), "more");
  EXPECT_EQ(read_file(out() / "_MANIFEST.json"), "{}");
  EXPECT_EQ(names(work()), NameSet{"out"});
}

TEST_F(Output, without_commit_leaves_nothing) {
  {
    OutputDirectory output(out(), false);
    add_part(output, 0, "x");
  }
  EXPECT_TRUE(names(work()).empty());
}

TEST_F(Output, files_of_attempts_that_lost_do_not_become_visible) {
  OutputDirectory output(out(), false);
  add_part(output, 0, "x");
  write_file_synced(output.staging() / "attempt-7", "lost");
  output.commit("{}");
  EXPECT_EQ(names(out()), (NameSet{"_MANIFEST.json", "part-00000"}));
}

TEST_F(Output, an_earlier_output_is_replaced_only_when_asked) {
  commit_old_output();
  EXPECT_EQ(refusal([&] { check_output(out(), false); }), ErrorCode::usage);
  EXPECT_EQ(refusal([&] { OutputDirectory again(out(), false); }), ErrorCode::usage);
  EXPECT_EQ(read_file(out() / "part-00000"), "old");
  {
    OutputDirectory output(out(), true);
    add_part(output, 0, "new");
    EXPECT_EQ(read_file(out() / "part-00000"), "old");
    output.commit("{\"new\":1}");
  }
  EXPECT_EQ(names(out()), (NameSet{"_MANIFEST.json", "part-00000"}));
  EXPECT_EQ(read_file(out() / "part-00000"), "new");
  EXPECT_EQ(names(work()), NameSet{"out"}) << "the old one is gone";
}

TEST_F(Output, overwriting_without_commit_keeps_the_old_one) {
  commit_old_output();
  {
    OutputDirectory output(out(), true);
    add_part(output, 0, "new");
  }
  EXPECT_EQ(read_file(out() / "part-00001"), "old");
  EXPECT_EQ(names(work()), NameSet{"out"});
}

TEST_F(Output, overwrite_takes_a_free_name_and_an_empty_directory) {
  for (const bool exists : {false, true}) {
    if (exists) fs::create_directory(out());
    EXPECT_EQ(refusal([&] { check_output(out(), true); }), ErrorCode::broken);
    {
      OutputDirectory output(out(), true);
      add_part(output, 0, "x");
      output.commit("{}");
    }
    EXPECT_EQ(names(out()), (NameSet{"_MANIFEST.json", "part-00000"}));
    fs::remove_all(out());
  }
}

TEST_F(Output, never_overwrites_what_is_no_output) {
  const auto refused = [&] {
    return refusal([&] { OutputDirectory output(out(), true); }) == ErrorCode::usage &&
           refusal([&] { check_output(out(), true); }) == ErrorCode::usage;
  };
  fs::create_directory(out());
  write_file_synced(out() / "thesis.tex", "years of work");
  EXPECT_TRUE(refused());
  EXPECT_TRUE(fs::exists(out() / "thesis.tex"));
  fs::remove_all(out());
  write_file_synced(out(), "a file");
  EXPECT_TRUE(refused());
  fs::remove(out());
  fs::create_directory(work() / "real");
  fs::create_directory_symlink(work() / "real", out());
  EXPECT_TRUE(refused());
  fs::remove(out());
  fs::create_symlink("nowhere", out());
  EXPECT_TRUE(refused());
}

TEST_F(Output, that_has_come_to_exist_meanwhile_is_not_replaced) {
  OutputDirectory output(out(), false);
  add_part(output, 0, "mine");
  fs::create_directory(out());
  write_file_synced(out() / "theirs", "x");
  EXPECT_EQ(refusal([&] { output.commit("{}"); }), ErrorCode::usage);
  EXPECT_EQ(names(out()), NameSet{"theirs"});
}

// --overwrite promises to replace earlier outputs only, whenever they came to exist.
TEST_F(Output, what_has_come_to_exist_meanwhile_and_is_no_output_is_not_overwritten) {
  OutputDirectory output(out(), true);
  add_part(output, 0, "mine");
  fs::create_directory(out());
  write_file_synced(out() / "thesis.tex", "years of work");
  EXPECT_EQ(refusal([&] { output.commit("{}"); }), ErrorCode::usage);
  EXPECT_TRUE(fs::exists(out() / "thesis.tex"));
}

TEST_F(Output, sweeps_what_a_killed_job_left_and_nothing_else) {
  const auto make = [&](const std::string& name) {
    fs::create_directories(work() / name / "deep");
    write_file_synced(work() / name / ".muster-staging", "");
    return work() / name;
  };
  const fs::path dead = make(".out.muster-abcdef");
  const fs::path used = make(".out.muster-ghijkl");
  const fs::path other = make(".other.muster-abcdef");
  const UniqueFd lock = open_file(used, O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  write_file_synced(work() / ".out.muster-file00", "x");
  fs::create_directories(work() / ".out.muster-backup");
  write_file_synced(work() / ".out.muster-backup" / "thesis.tex", "years of work");
  const OutputDirectory output(out(), false);
  remove_leftovers(out());
  EXPECT_TRUE(fs::exists(output.staging()));
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(used / "deep"));
  EXPECT_TRUE(fs::exists(other / "deep"));
  EXPECT_TRUE(fs::exists(work() / ".out.muster-file00"));
  EXPECT_TRUE(fs::exists(work() / ".out.muster-backup" / "thesis.tex"));
}

TEST_F(Output, two_at_once_do_not_disturb_each_other) {
  OutputDirectory first(out(), false);
  OutputDirectory second(out(), false);
  add_part(first, 0, "first");
  add_part(second, 0, "second");
  second.commit("{}");
  EXPECT_EQ(refusal([&] { first.commit("{}"); }), ErrorCode::usage);
  EXPECT_EQ(read_file(out() / "part-00000"), "second");
}

TEST_F(Output, permissions_follow_the_umask) {
  const mode_t before = ::umask(027);
  {
    OutputDirectory output(out(), false);
    add_part(output, 0, "x");
    output.commit("{}");
  }
  const mode_t still = ::umask(before);
  EXPECT_EQ(still, 027U) << "the umask is as it was";
  struct stat info {};
  ASSERT_EQ(::stat(out().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0750U);
  ASSERT_EQ(::stat((out() / "_MANIFEST.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
}

TEST_F(Output, names_may_be_relative_end_in_a_slash_and_be_long) {
  const fs::path before = fs::current_path();
  fs::current_path(work());
  for (const std::string& name : {std::string("plain"), std::string("slash/"), std::string("./dot"),
                                  std::string("x/../up"), std::string(255, 'n')}) {
    OutputDirectory output(name, false);
    fs::current_path("/");  // what comes after must not depend on it
    add_part(output, 0, "x");
    EXPECT_EQ(refusal([&] { output.commit("{}"); }), ErrorCode::broken) << name;
    fs::current_path(work());
    EXPECT_TRUE(fs::exists(fs::path(name).lexically_normal() / "part-00000")) << name;
  }
  fs::current_path(before);
}

TEST_F(Output, names_follow_links_as_the_file_system_does) {
  fs::create_directories(work() / "real" / "deep");
  fs::create_directory_symlink(work() / "real" / "deep", work() / "link");
  OutputDirectory output(work() / "link" / ".." / "up", false);
  add_part(output, 0, "x");
  output.commit("{}");
  EXPECT_TRUE(fs::exists(work() / "real" / "up" / "part-00000"));
  EXPECT_FALSE(fs::exists(work() / "up"));
}

TEST_F(Output, that_cannot_be_made_is_refused_with_its_name) {
  try {
    const OutputDirectory output(work() / "none" / "out", false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(std::string(error.what()).find("none/out"), std::string::npos);
    EXPECT_NE(error.hint(), "");
  }
}

TEST_F(Output, adopting_a_file_that_is_not_there_is_an_io_error) {
  OutputDirectory output(out(), false);
  EXPECT_EQ(refusal([&] { output.adopt(output.staging() / "none", 0, 3); }), ErrorCode::io);
}

TEST(PartName, has_at_least_five_digits) {
  EXPECT_EQ(part_name(0, 1), "part-00000");
  EXPECT_EQ(part_name(65535, 65536), "part-65535");
  EXPECT_EQ(part_name(99999, 100000), "part-99999");
}

TEST(PartName, has_as_many_digits_as_the_last_part_needs) {
  EXPECT_EQ(part_name(99999, 100001), "part-099999");
  EXPECT_EQ(part_name(100000, 100001), "part-100000");
  EXPECT_EQ(part_name(7, 1000000), "part-000007");
}

}  // namespace
}  // namespace muster::mapreduce
