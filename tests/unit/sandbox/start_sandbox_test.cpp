#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/sandbox/start_sandbox.hpp>

namespace muster::sandbox {
namespace {

class StartSandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    if (support.landlock_abi < landlock_abi_wanted)
      GTEST_SKIP() << "this kernel's Landlock lacks something";
    std::filesystem::create_directory(root / "keys");
    std::ofstream(root / "keys/worker.key") << "secret";
    rules.hidden = {root / "keys"};
  }

  TempDir directory{default_temp_parent()};
  std::filesystem::path root = std::filesystem::canonical(directory.path());
  SandboxRules rules;
  KernelSupport support = probe_kernel();
};

TEST_F(StartSandbox, TakesWhatWorks) {
  const StartedSandbox started = start_sandbox(SandboxMode::require, rules);
  EXPECT_EQ(started.rules.landlock_abi, support.landlock_abi);
  EXPECT_TRUE(started.rules.filters_calls);
  const std::string text = describe(started);
  EXPECT_EQ(text.find("sandbox: no_new_privs, landlock (ABI "), 0U) << text;
  EXPECT_NE(text.find("; hidden: " + (root / "keys").string()), std::string::npos) << text;
  EXPECT_EQ(text.find("not enforced"), std::string::npos) << text;
}

TEST_F(StartSandbox, LeavesOutWhatTheKernelLacks) {
  support = {.landlock_trouble = "there is none", .seccomp_trouble = "nor that"};
  const StartedSandbox started = start_sandbox(SandboxMode::best_effort, rules, support);
  EXPECT_EQ(started.rules.landlock_abi, 0);
  EXPECT_FALSE(started.rules.filters_calls);
  EXPECT_EQ(describe(started),
            "sandbox: no_new_privs; not enforced: landlock (there is none); seccomp (nor that); "
            "tasks can read the worker's keys");
  EXPECT_THROW(start_sandbox(SandboxMode::require, rules, support), Error);
}

// What a kernel says that it has may yet not work.
TEST_F(StartSandbox, NoticesWhatDoesNotWork) {
  // A key that is also to be had by another way: the hidden link is one to a file that is not.
  std::ofstream(root / "elsewhere") << "secret";
  std::filesystem::create_hard_link(root / "elsewhere", root / "keys/other.key");
  rules.writable = {root / "elsewhere"};
  const StartedSandbox started = start_sandbox(SandboxMode::best_effort, rules);
  EXPECT_EQ(started.rules.landlock_abi, 0);
  EXPECT_NE(describe(started).find("hidden files can be read"), std::string::npos)
      << describe(started);
  EXPECT_THROW(start_sandbox(SandboxMode::require, rules), Error);
}

TEST_F(StartSandbox, RefusesRulesThatContradictEachOther) {
  rules.writable = {root};
  EXPECT_THROW(start_sandbox(SandboxMode::best_effort, rules), Error);
}

}  // namespace
}  // namespace muster::sandbox
