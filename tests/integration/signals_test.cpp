// Jobs that are stopped from outside. That no process and no temporary file stays is checked after
// every test.
#include <algorithm>
#include <csignal>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <muster/base/clock.hpp>
#include <muster/base/random.hpp>

#include "support/muster_test.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;

class Signals : public MusterTest {
 protected:
  void SetUp() override {
    write("text", "BOOM\n");
    write("many", "BOOM\nb\nc\nd\n");
  }

  // A job that never ends; both its processes have work when this returns.
  Command endless() const {
    Command out =
        command({"run", plugin("faulty"), "-j", "2", "--chunk-size", "5", "--set", "fault=loop",
                 "--set", "path=" + path("started").string(), "text", "text", "-o", "out"});
    return out;
  }
  void wait_until_started() const {
    ASSERT_TRUE(eventually([this] { return fs::exists(path("started")); }));
  }

  bool has_made_its_temporary_directory() const {
    const auto names = names_in(tmp());
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& each) { return each.starts_with("muster-"); });
  }

  void expect_ends(const Command& job, int signal, int exit_code) const {
    Running running(job);
    wait_until_started();
    running.send(signal);
    expect_error(running.wait(), exit_code, {"interrupted"});
    EXPECT_EQ(names_in(work()), (std::vector<std::string>{"many", "started", "text"}));
  }
};

TEST_F(Signals, AnEndlessLoopEndsOnInterrupt) { expect_ends(endless(), SIGINT, 130); }

TEST_F(Signals, AnEndlessLoopEndsOnTerminate) { expect_ends(endless(), SIGTERM, 143); }

TEST_F(Signals, AnEndlessLoopEndsOnHangup) { expect_ends(endless(), SIGHUP, 129); }

// As nohup and scripts do that start a job in the background.
TEST_F(Signals, ASignalThatIsIgnoredAtTheStartStaysSo) {
  Running running(
      shell(fmt::format("trap '' HUP; exec \"$MUSTER\" run '{}' --set fault=loop "
                        "--set path=started text",
                        plugin("faulty"))));
  wait_until_started();
  running.send(SIGHUP);
  running.send(SIGTERM);
  expect_error(running.wait(), 143, {"interrupted"});
}

TEST_F(Signals, TheLastJsonLineIsTheSummaryOfACancelledJob) {
  Command job = endless();
  job.arguments.push_back("--json");
  Running running(job);
  wait_until_started();
  running.send(SIGINT);
  const Finished result = running.wait();
  EXPECT_EQ(result.exit_code, 130) << result.text();
  const auto last = result.out.rfind('\n', result.out.size() - 2) + 1;
  EXPECT_NE(result.out.substr(last).find("\"outcome\":\"cancelled\",\"exit_code\":130"),
            std::string::npos)
      << result.text();
}

// As timeout(1) does: to its child, and to the group of both.
TEST_F(Signals, OneSaidTwiceIsOne) {
  Command job = endless();
  Running running(job);
  wait_until_started();
  running.send(SIGTERM);
  const auto until = Clock::now() + std::chrono::milliseconds(2);
  eventually([until] { return Clock::now() >= until; });
  running.send(SIGTERM);
  expect_error(running.wait(), 143, {"interrupted"});
  EXPECT_EQ(names_in(tmp()), std::vector<std::string>());
}

TEST_F(Signals, AKilledProgramTakesItsProcessesWithItAndTheNextRunTidiesUp) {
  Running running(endless());
  wait_until_started();
  EXPECT_FALSE(task_processes().empty());
  running.send(SIGKILL);
  EXPECT_EQ(running.wait().signal, SIGKILL);
  EXPECT_TRUE(
      eventually([this] { return processes_marked(mark()).empty(); }, std::chrono::seconds(5)));
  EXPECT_EQ(names_in(tmp()).size(), 1U);
  EXPECT_FALSE(fs::exists(path("out")));
  expect_ok(muster({"run", "wordcount", "text", "-o", "out"}));
  EXPECT_EQ(names_in(tmp()).size(), 0U);
  EXPECT_EQ(names_in(work()), (std::vector<std::string>{"many", "out", "started", "text"}));
}

TEST_F(Signals, TidyingUpSparesWhatIsInUse) {
  Running running(endless());
  wait_until_started();
  Command other = command({"run", "wordcount", "many", "-o", "out"});
  expect_ok(run(other));
  EXPECT_EQ(names_in(tmp()).size(), 1U);
  running.send(SIGINT);
  EXPECT_EQ(running.wait().exit_code, 130);
  EXPECT_TRUE(fs::exists(path("out/part-00000")));
}

// Interrupts must be seen wherever the program waits. `input` is opened by the test, and never
// written to.
TEST_F(Signals, WaitingForStandardInputEndsOnInterrupt) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  Command job = command({"run", "wordcount", "-"});
  job.input_file = path("pipe");
  job.timeout = std::chrono::seconds(5);
  Running running(job);
  ASSERT_TRUE(eventually([this] { return has_made_its_temporary_directory(); }));
  running.send(SIGINT);
  const Finished result = running.wait();
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 130) << result.text();
}

TEST_F(Signals, WaitingForAWriterOfANamedPipeEndsOnInterrupt) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  Command job = command({"run", "wordcount", "pipe"});
  job.timeout = std::chrono::seconds(5);
  Running running(job);
  ASSERT_TRUE(eventually([this] { return has_made_its_temporary_directory(); }));
  running.send(SIGINT);
  const Finished result = running.wait();
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 130) << result.text();
}

// At any moment: while processes start, or make their files. What is left behind is looked for
// after the test.
TEST_F(Signals, AnInterruptAtAnyMomentLeavesNoFileBehind) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "one two three\n";
  write("long", text);
  Random random(1);
  for (int round = 0; round < 25; ++round) {
    Running running(command({"run", "wordcount", "-q", "-j", "8", "--partitions", "8",
                             "--chunk-size", "256", "long", "-o", "out"}));
    ASSERT_TRUE(eventually([this] { return has_made_its_temporary_directory(); }));
    const auto until = Clock::now() + std::chrono::microseconds(random.below(60'000));
    eventually([until] { return Clock::now() >= until; });
    running.send(SIGINT);
    const Finished result = running.wait();
    if (result.exit_code == 0) std::filesystem::remove_all(path("out"));  // it was faster
    ASSERT_TRUE(result.exit_code == 0 || result.exit_code == 130) << result.text();
    ASSERT_EQ(names_in(tmp()), std::vector<std::string>()) << round;
    ASSERT_EQ(names_in(work()), (std::vector<std::string>{"long", "many", "text"})) << round;
  }
}

TEST_F(Signals, WaitingForAReaderOfTheResultEndsOnInterrupt) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const UniqueFd reader = open_file(path("pipe"), O_RDONLY | O_NONBLOCK);
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += fmt::format("word-{}\n", i);
  write("many", text);
  Command job = shell("exec \"$MUSTER\" run wordcount many > pipe");
  job.timeout = std::chrono::seconds(8);
  Running running(job);
  ASSERT_TRUE(eventually([&] { return running.err().find("reduce  [####") != std::string::npos; }));
  running.send(SIGINT);
  const Finished result = running.wait();
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 130) << result.text();
}

}  // namespace
}  // namespace muster::testing
