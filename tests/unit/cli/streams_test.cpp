#include <cstdio>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cli/streams.hpp>

namespace muster::cli {
namespace {

// Standard output goes into a file for the length of a test.
class Streams : public ::testing::Test {
 protected:
  void SetUp() override {
    std::fflush(stdout);
    const UniqueFd file = open_file(path_, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT_EQ(::dup2(file.get(), STDOUT_FILENO), STDOUT_FILENO);
  }
  void TearDown() override { ::dup2(terminal_.get(), STDOUT_FILENO); }

  std::string written() const { return read_file(path_); }

 private:
  TempDir directory_{default_temp_parent()};
  std::filesystem::path path_ = directory_.path() / "stdout";
  UniqueFd terminal_{::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)};
};

TEST_F(Streams, AResultIsWrittenAsItIs) {
  write_result("one\n", [] {});
  write_result("two\n", [] {});
  EXPECT_EQ(written(), "one\ntwo\n");
}

// A file takes everything at once: there is no wait in which a stop could be seen.
TEST_F(Streams, AStopIsSeenThoughNothingWaits) {
  const auto stop = [] { throw Error(ErrorCode::cancelled, "cancelled"); };
  EXPECT_THROW(write_result("unwanted\n", stop), Error);
  EXPECT_EQ(written(), "");
}

}  // namespace
}  // namespace muster::cli
