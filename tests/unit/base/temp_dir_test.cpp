#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>

namespace muster {
namespace {

namespace fs = std::filesystem;

class TempDirectory : public ::testing::Test {
 protected:
  const fs::path& parent() const { return scratch_.path(); }

  // What a killed owner leaves: a directory whose lock nobody holds.
  fs::path leftover(const std::string& name) const {
    fs::create_directories(parent() / name / "deep");
    write_file_synced(parent() / name / "lock", "");
    write_file_synced(parent() / name / "deep" / "run", "data");
    return parent() / name;
  }

 private:
  TempDir scratch_{default_temp_parent()};
};

TEST_F(TempDirectory, is_private_and_below_its_parent) {
  const TempDir dir(parent());
  struct stat info {};
  ASSERT_EQ(::stat(dir.path().c_str(), &info), 0);
  EXPECT_TRUE(S_ISDIR(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  EXPECT_EQ(dir.path().parent_path(), parent());
  EXPECT_EQ(dir.path().filename().string().rfind("muster-", 0), 0U);
}

TEST_F(TempDirectory, goes_with_all_it_holds) {
  fs::path path;
  {
    const TempDir dir(parent());
    path = dir.path();
    fs::create_directories(path / "a" / "b");
    write_file_synced(path / "a" / "b" / "c", "x");
    fs::create_symlink("/", path / "link");
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(fs::exists("/dev"));
}

TEST_F(TempDirectory, does_not_follow_symlinks_when_it_goes) {
  const fs::path outside = parent() / "outside";
  fs::create_directory(outside);
  write_file_synced(outside / "precious", "x");
  {
    const TempDir dir(parent());
    fs::create_directory_symlink(outside, dir.path() / "link");
  }
  EXPECT_TRUE(fs::exists(outside / "precious"));
}

TEST_F(TempDirectory, a_moved_one_is_removed_once_by_its_new_owner) {
  std::optional<TempDir> first(parent());
  const fs::path path = first->path();
  {
    const TempDir second = std::move(*first);
    first.reset();
    EXPECT_TRUE(fs::exists(path));
    EXPECT_EQ(second.path(), path);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(TempDirectory, many_at_once_are_apart) {
  const TempDir a(parent());
  const TempDir b(parent());
  const TempDir c(parent());
  EXPECT_TRUE(fs::exists(a.path()));
  EXPECT_TRUE(fs::exists(b.path()));
  EXPECT_NE(a.path(), b.path());
  EXPECT_NE(b.path(), c.path());
}

TEST_F(TempDirectory, sweeps_what_a_dead_owner_left) {
  const fs::path dead = leftover("muster-abcdef");
  const TempDir dir(parent());
  EXPECT_FALSE(fs::exists(dead));
}

TEST_F(TempDirectory, sweeps_what_a_killed_process_left) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const TempDir dir(parent());
    ::raise(SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const auto count = [&] {
    return std::distance(fs::directory_iterator(parent()), fs::directory_iterator());
  };
  EXPECT_EQ(count(), 2) << "the lock of this test's own scratch, and the leftover";
  const TempDir dir(parent());
  EXPECT_EQ(count(), 2) << "the lock of this test's own scratch, and the new one";
}

TEST_F(TempDirectory, leaves_alone_what_is_in_use_or_not_its_own) {
  const fs::path used = leftover("muster-abcdef");
  const UniqueFd lock = open_file(used / "lock", O_RDWR);
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  const fs::path other_name = leftover("mustard-abcdef");
  fs::create_directory(parent() / "muster-nolock");
  write_file_synced(parent() / "muster-files0", "x");
  fs::create_directory_symlink(other_name, parent() / "muster-links0");
  const TempDir dir(parent());
  EXPECT_TRUE(fs::exists(used / "deep" / "run"));
  EXPECT_TRUE(fs::exists(other_name / "deep" / "run"));
  EXPECT_TRUE(fs::exists(parent() / "muster-nolock"));
  EXPECT_TRUE(fs::exists(parent() / "muster-files0"));
  EXPECT_TRUE(fs::is_symlink(parent() / "muster-links0"));
}

TEST_F(TempDirectory, leaves_alone_what_belongs_to_somebody_else) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  const fs::path dead = leftover("muster-abcdef");
  ASSERT_EQ(::chown(dead.c_str(), 12345, 12345), 0);
  const TempDir dir(parent());
  EXPECT_TRUE(fs::exists(dead / "deep" / "run"));
}

// A name that the class cannot have made is the user's own, whatever files it holds.
TEST_F(TempDirectory, leaves_alone_a_directory_whose_name_it_cannot_have_made) {
  const fs::path project = leftover("muster-project-notes");
  const TempDir dir(parent());
  EXPECT_TRUE(fs::exists(project / "deep" / "run"));
}

TEST_F(TempDirectory, says_where_it_could_not_be_made) {
  try {
    const TempDir dir(parent() / "none");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(std::string(error.what()).find((parent() / "none").string()), std::string::npos);
    EXPECT_NE(error.hint().find("--tmp"), std::string::npos);
  }
}

TEST(DefaultTempParent, is_tmpdir_or_tmp) {
  const char* named = std::getenv("TMPDIR");
  const std::string before = named == nullptr ? "" : named;
  ::setenv("TMPDIR", "/somewhere", 1);
  EXPECT_EQ(default_temp_parent(), "/somewhere");
  ::setenv("TMPDIR", "", 1);
  EXPECT_EQ(default_temp_parent(), "/tmp");
  ::unsetenv("TMPDIR");
  EXPECT_EQ(default_temp_parent(), "/tmp");
  if (named != nullptr) ::setenv("TMPDIR", before.c_str(), 1);
}

}  // namespace
}  // namespace muster
