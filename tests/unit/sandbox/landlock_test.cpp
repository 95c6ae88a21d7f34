#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/sandbox/landlock.hpp>

#include "in_child.hpp"

namespace muster::sandbox {
namespace {

namespace fs = std::filesystem;

int errno_unless(bool succeeded) { return succeeded ? 0 : errno; }

class LandlockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (landlock_abi() < 1) GTEST_SKIP() << "this kernel has no Landlock";
    for (const char* each : {"secret/key", "mine/file", "other/file"}) {
      fs::create_directories((root / each).parent_path());
      std::ofstream(root / each) << each;
    }
    rules.landlock_abi = landlock_abi();
    rules.hidden = {root / "secret"};
    rules.writable = {root / "mine"};
  }
  int open_error(const std::string& name, int flags) {
    return in_child(&rules, [&] {
      return errno_unless(::open((root / name).c_str(), flags | O_CLOEXEC, 0600) >= 0);
    });
  }

  TempDir directory{default_temp_parent()};
  fs::path root = fs::canonical(directory.path());
  SandboxRules rules;
};

TEST_F(LandlockTest, HidesAndKeepsFromWritingAndAllowsTheRest) {
  EXPECT_EQ(open_error("secret/key", O_RDONLY), EACCES);
  EXPECT_EQ(open_error("other/file", O_RDONLY), 0);
  EXPECT_EQ(open_error("other/file", O_WRONLY), EACCES);
  EXPECT_EQ(open_error("other/new", O_WRONLY | O_CREAT), EACCES);
  EXPECT_EQ(open_error("mine/file", O_RDWR), 0);
  EXPECT_EQ(open_error("mine/new", O_RDWR | O_CREAT), 0);
  EXPECT_EQ(in_child(&rules, [] { return errno_unless(::open("/dev/null", O_RDWR) >= 0); }), 0);
  EXPECT_EQ(in_child(&rules, [] { return errno_unless(::open("/proc/self/maps", O_RDONLY) >= 0); }),
            0);
}

TEST_F(LandlockTest, LinksLeadNowhereNew) {
  const auto by_link = [&](bool is_hard) {
    return in_child(&rules, [&] {
      const std::string link = root / "mine/link";
      const std::string secret = root / "secret/key";
      if ((is_hard ? ::link(secret.c_str(), link.c_str())
                   : ::symlink(secret.c_str(), link.c_str())) != 0)
        return errno;
      return errno_unless(::open(link.c_str(), O_RDONLY) >= 0);
    });
  };
  EXPECT_EQ(by_link(false), EACCES);
  EXPECT_NE(by_link(true), 0);
}

TEST_F(LandlockTest, WhatIsHiddenCannotBeWritable) {
  rules.writable.push_back(root);
  try {
    make_ruleset(rules);
    FAIL() << "it would not be hidden";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(std::string(error.what()).find("secret"), std::string::npos) << error.what();
  }
}

// Older rules than the kernel's are those of an older kernel.
TEST_F(LandlockTest, LaterRulesAreOfLaterAbis) {
  const std::string file = root / "other/file";
  const pid_t parent = ::getpid();
  const auto truncates = [&] { return errno_unless(::truncate(file.c_str(), 5) == 0); };
  const auto signals = [&] { return errno_unless(::kill(parent, 0) == 0); };
  if (landlock_abi() >= 6) {
    EXPECT_EQ(in_child(&rules, truncates), EACCES);
    EXPECT_EQ(in_child(&rules, signals), EPERM);
  }
  rules.landlock_abi = std::min(rules.landlock_abi, 2);
  EXPECT_EQ(in_child(&rules, truncates), 0);
  EXPECT_EQ(in_child(&rules, signals), 0);
}

}  // namespace
}  // namespace muster::sandbox
