#include <csignal>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/file.hpp>

#include "support.hpp"

namespace muster::test {
namespace {

class ProcessTest : public PoolTest {};

void expect_success(const RoleResult& result) {
  EXPECT_TRUE(WIFEXITED(result.status) && WEXITSTATUS(result.status) == 0)
      << "status " << result.status << "\n"
      << result.err;
}

TEST_F(ProcessTest, InitRefusesAProcessWithThreads) {
  expect_success(run_role("init_with_threads"));
}

TEST_F(ProcessTest, InitIsIdempotent) { expect_success(run_role("init_twice")); }

TEST_F(ProcessTest, APoolInitialisesIfNobodyHas) { expect_success(run_role("init_by_pool")); }

TEST_F(ProcessTest, WhatTasksPrintDoesNotReachStdout) {
  const RoleResult result = run_role("print_from_task");
  expect_success(result);
  EXPECT_EQ(result.out, "buffered before init, once\n");
  EXPECT_EQ(result.err, "from the task's stdout\nraw\n");
}

TEST_F(ProcessTest, TheZygotesDeathBreaksThePool) { expect_success(run_role("zygote_dies")); }

TEST_F(ProcessTest, InitReplacesADeadZygote) { expect_success(run_role("zygote_is_replaced")); }

TEST_F(ProcessTest, AProgramMayExitWithAPool) {
  const RoleResult result = run_role("exit_with_pool");
  expect_success(result);
  EXPECT_EQ(result.err, "");
}

TEST_F(ProcessTest, AKilledProgramLeavesNoProcessBehind) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const pid_t pid = start_role("hold_pool", ends[1], STDERR_FILENO);
  ::close(ends[1]);
  ASSERT_GT(pid, 0);
  char line[6] = {};
  ASSERT_EQ(::read(reader.get(), line, sizeof(line)), 6);
  const std::vector<pid_t> all = descendants_of(pid);
  EXPECT_EQ(all.size(), 3U) << "the zygote and two task processes";
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  for (const pid_t each : all) EXPECT_TRUE(eventually([&] { return is_gone(each); })) << each;
}

TEST_F(ProcessTest, TheZygoteIsInAProcessGroupOfItsOwn) {
  const pid_t zygote = children_of(::getpid()).front();
  EXPECT_EQ(::getpgid(zygote), zygote) << "a terminal's Ctrl-C must not reach it";
  ProcessPoolExecutor pool({.max_workers = 1});
  const pid_t task = std::stoi(pool.submit_raw(&own_pid, {}).result());
  EXPECT_EQ(::getpgid(task), zygote);
}

}  // namespace
}  // namespace muster::test
