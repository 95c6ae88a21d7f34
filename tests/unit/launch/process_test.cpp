// Programs that are run, and processes that are found by their mark.
#include <csignal>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/launch/cluster_spec.hpp>
#include <muster/launch/marked_process.hpp>
#include <muster/launch/poll.hpp>
#include <muster/launch/run_program.hpp>

namespace muster::launch {
namespace {

using namespace std::chrono_literals;

TEST(RunProgram, GivesWhatItPrints) {
  const ProgramEnd end =
      run_program({{"sh", "-c", "cat; echo no >&2; echo why >&2; exit 3"}, "in"}, 20s);
  EXPECT_EQ(end.exit_code, 3);
  EXPECT_EQ(end.out, "in");
  EXPECT_EQ(end.err, "no\nwhy\n");
  EXPECT_EQ(end.reason(), "why");
  EXPECT_FALSE(end.ok());
}

TEST(RunProgram, SaysWhyItDidNotStart) {
  const ProgramEnd end = run_program({{"/no/such/program"}}, 20s);
  EXPECT_EQ(end.start_error, ENOENT);
  EXPECT_NE(end.reason().find("No such file"), std::string::npos) << end.reason();
}

TEST(RunProgram, KillsWhatTakesTooLong) {
  const ProgramEnd end = run_program({{"sleep", "60"}}, 50ms);
  EXPECT_TRUE(end.timed_out);
  EXPECT_EQ(end.reason(), "it took too long");
}

TEST(RunProgram, RunsAllAtTheSameTime) {
  // Each waits for the other.
  const TempDir directory(default_temp_parent());
  const std::string fifo = directory.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto ends = run_programs(
      {{{"sh", "-c", "cat <'" + fifo + "'"}}, {{"sh", "-c", "echo hello >'" + fifo + "'"}}}, 20s);
  EXPECT_EQ(ends[0].out, "hello\n");
  EXPECT_TRUE(ends[1].ok());
}

TEST(RunProgram, LeavesVariablesOut) {
  ASSERT_EQ(::setenv("LAUNCH_TEST_X", "1", 1), 0);
  EXPECT_EQ(run_program({{"sh", "-c", "echo $LAUNCH_TEST_X"}}, 20s).out, "1\n");
  EXPECT_EQ(run_program({{"sh", "-c", "echo $LAUNCH_TEST_X"}, {}, "LAUNCH_TEST_"}, 20s).out, "\n");
}

TEST(RunProgram, FindsProgramsAsAShellDoes) {
  EXPECT_TRUE(find_program("sh"));
  EXPECT_TRUE(find_program("/bin/sh"));
  EXPECT_FALSE(find_program("no-such-program"));
  EXPECT_FALSE(find_program("/no/such/program"));
}

class MarkedProcesses : public ::testing::Test {
 protected:
  ~MarkedProcesses() override { end_marked(token, "worker", 0s); }

  pid_t start(const std::string& script, const std::string& number = "1") {
    return start_detached({{"sh", "-c", script}, part_mark(token, "worker", number), log});
  }

  const std::string token = make_token();
  TempDir directory{default_temp_parent()};
  std::filesystem::path log = directory.path() / "log";
};

TEST_F(MarkedProcesses, AreFoundAndEnded) {
  // What they fork has the same environment, and is not one of them.
  const pid_t pid = start("sleep 60 & echo ready; wait");
  ASSERT_TRUE(poll_until([&] { return read_file(log, 100) == "ready\n"; }, 20s, 5ms));
  start("exec sleep 60", "2");
  const auto found = marked_processes(token, "worker");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].pid, pid);
  EXPECT_EQ(found[0].number, "1");
  EXPECT_EQ(::getsid(pid), pid);
  EXPECT_TRUE(marked_processes(token, "keeper").empty());
  EXPECT_TRUE(marked_processes(make_token(), "worker").empty());
  signal_marked(token, {pid, "worker", "7"}, SIGKILL);  // another one: nothing is sent
  EXPECT_EQ(marked_processes(token, "worker").size(), 2U);
  end_marked(token, "worker", 10s);
  EXPECT_TRUE(marked_processes(token, "worker").empty());
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST_F(MarkedProcesses, AreKilledIfTheyDoNotEnd) {
  const pid_t pid = start("trap '' TERM; echo ready; while :; do sleep 60; done");
  ASSERT_TRUE(poll_until([&] { return read_file(log, 100) == "ready\n"; }, 20s, 5ms));
  end_marked(token, "worker", 50ms);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_F(MarkedProcesses, StartWithNothingOfOurs) {
  sigset_t all;
  ::sigfillset(&all);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  const pid_t pid = start("grep -E 'SigBlk|SigIgn' /proc/self/status; ls /proc/self/fd | wc -w");
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  const std::string text = read_file(log, 1000);
  EXPECT_NE(text.find("SigBlk:\t0000000000000000"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\n4\n")) << text;  // three streams, and the directory that ls reads
}

TEST_F(MarkedProcesses, ThatCannotBeStartedAreNamed) {
  try {
    start_detached({{"/no/such/worker"}, part_mark(token, "worker", "1"), log});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("/no/such/worker"), std::string::npos);
  }
}

}  // namespace
}  // namespace muster::launch
