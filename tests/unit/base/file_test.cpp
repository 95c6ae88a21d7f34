#include <filesystem>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>

#include "support/as_nobody.hpp"

namespace muster {
namespace {

namespace fs = std::filesystem;

template <class Body>
Error error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::usage, "nothing was thrown");
}

class File : public ::testing::Test {
 protected:
  fs::path path(const char* name) const { return scratch_.path() / name; }

 private:
  TempDir scratch_{default_temp_parent()};
};

TEST_F(File, round_trips_with_every_byte) {
  std::string all;
  for (int i = 0; i < 100000; ++i) all.push_back(static_cast<char>(i * 7 + i / 256));
  write_file_synced(path("a"), all);
  EXPECT_EQ(read_file(path("a")), all);
  write_file_synced(path("a"), "short");
  EXPECT_EQ(read_file(path("a")), "short") << "an older, longer text is cut off";
  write_file_synced(path("a"), "");
  EXPECT_EQ(read_file(path("a")), "");
}

TEST_F(File, read_file_refuses_what_is_above_the_limit) {
  for (const std::size_t size : {std::size_t{10}, std::size_t{16384}, std::size_t{20000}}) {
    write_file_synced(path("a"), std::string(size, 'x'));
    EXPECT_EQ(read_file(path("a"), size).size(), size);
    const Error error = error_of([&] { read_file(path("a"), size - 1); });
    EXPECT_EQ(error.code(), ErrorCode::limit) << size;
    EXPECT_NE(std::string(error.what()).find(path("a").string()), std::string::npos);
  }
}

TEST_F(File, read_file_stops_early_at_an_endless_one) {
  EXPECT_EQ(error_of([] { read_file("/dev/zero", 100000); }).code(), ErrorCode::limit);
}

TEST_F(File, read_at_reads_fewer_bytes_only_at_the_end) {
  write_file_synced(path("a"), "0123456789");
  const UniqueFd fd = open_file(path("a"), O_RDONLY);
  char out[20] = {};
  EXPECT_EQ(read_at(fd.get(), out, 4, 3, path("a")), 4U);
  EXPECT_EQ(std::string_view(out, 4), "3456");
  EXPECT_EQ(read_at(fd.get(), out, 20, 7, path("a")), 3U);
  EXPECT_EQ(read_at(fd.get(), out, 20, 10, path("a")), 0U);
  EXPECT_EQ(read_at(fd.get(), out, 20, 1000, path("a")), 0U);
  EXPECT_EQ(read_at(fd.get(), out, 0, 0, path("a")), 0U);
}

TEST_F(File, errors_name_the_file) {
  const Error missing = error_of([&] { open_file(path("none"), O_RDONLY); });
  EXPECT_EQ(missing.code(), ErrorCode::io);
  EXPECT_EQ(std::string(missing.what()),
            "cannot open '" + path("none").string() + "': No such file or directory");
  EXPECT_EQ(error_of([&] { read_file(path("none")); }).code(), ErrorCode::io);
  EXPECT_EQ(error_of([&] { sync_directory(path("none")); }).code(), ErrorCode::io);
  const Error directory = error_of([&] { read_file("/"); });
  EXPECT_EQ(directory.code(), ErrorCode::io);
  EXPECT_EQ(std::string(directory.what()).find("cannot read '/'"), 0U) << directory.what();
}

TEST_F(File, what_may_not_be_read_is_an_io_error) {
  write_file_synced(path("a"), "secret");
  fs::permissions(path("a"), fs::perms::none);
  const muster::test::AsNobody nobody;
  EXPECT_EQ(error_of([&] { open_file(path("a"), O_RDONLY); }).code(), ErrorCode::io);
}

TEST_F(File, a_full_file_system_is_told_from_other_errors) {
  const Error full = error_of([] {
    const UniqueFd fd = open_file("/dev/full", O_WRONLY);
    write_all(fd.get(), "x", "/dev/full");
  });
  EXPECT_EQ(full.code(), ErrorCode::no_space);
  EXPECT_EQ(std::string(full.what()), "cannot write '/dev/full': No space left on device");
  EXPECT_EQ(error_of([] { write_file_synced("/dev/full", "x"); }).code(), ErrorCode::no_space);
  EXPECT_EQ(error_of([] { write_all(-1, "x", "p"); }).code(), ErrorCode::io);
}

TEST_F(File, descriptors_are_closed_on_exec_and_at_the_end) {
  write_file_synced(path("a"), "x");
  int raw = -1;
  {
    const UniqueFd fd = open_file(path("a"), O_RDONLY);
    raw = fd.get();
    EXPECT_NE(::fcntl(raw, F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
}

TEST_F(File, unique_fd_passes_its_descriptor_on) {
  write_file_synced(path("a"), "x");
  UniqueFd first = open_file(path("a"), O_RDONLY);
  const int raw = first.get();
  UniqueFd second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that it is empty is the point
  EXPECT_EQ(second.get(), raw);
  UniqueFd third = open_file(path("a"), O_RDONLY);
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_EQ(::fcntl(replaced, F_GETFD), -1) << "what it had before is closed";
  EXPECT_EQ(third.release(), raw);
  EXPECT_FALSE(third);
  EXPECT_NE(::fcntl(raw, F_GETFD), -1);
  ::close(raw);
}

TEST_F(File, new_files_follow_the_umask) {
  const mode_t before = ::umask(027);
  write_file_synced(path("a"), "x");
  ::umask(before);
  struct stat info {};
  ASSERT_EQ(::stat(path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
}

TEST(OpenFiles, are_counted) {
  const OpenFiles before = count_open_files();
  EXPECT_GT(before.limit, before.open);
  const UniqueFd one = open_file("/dev/null", O_RDONLY);
  EXPECT_EQ(count_open_files().open, before.open + 1);
}

}  // namespace
}  // namespace muster
