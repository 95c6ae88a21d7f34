// kill -9 of task processes in the middle of their work: the same result, every loss counted.
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "support/muster_test.hpp"
#include "support/reference.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;

using Json = nlohmann::json;

class Kill : public MusterTest {
 protected:
  static Json summary(const Finished& result) {
    const auto last = result.err.rfind('\n', result.err.size() - 2) + 1;
    Json out = Json::parse(result.err.substr(last), nullptr, false);
    EXPECT_TRUE(out.is_object() && out["event"] == "summary") << result.text();
    return out;
  }

  static void expect_killed(const Finished& result, unsigned kills) {
    expect_ok(result);
    const Json end = summary(result);
    EXPECT_EQ(end["retries"], kills) << result.text();
    EXPECT_EQ(end["retries_by_cause"], (Json{{"killed", kills}})) << result.text();
  }
};

// The task waits to be killed, so that each kill is known to hit it.
TEST_F(Kill, EachOfTenKillsCostsOneAttempt) {
  constexpr unsigned kills = 10;
  std::string text;
  for (unsigned i = 0; i < kills; ++i) text += fmt::format("BOOM {}\n", i);
  for (int i = 0; i < 100; ++i) text += "line\n";
  write("text", text);
  Running running(
      command({"run", plugin("faulty"), "-j", "2", "--chunk-size", "7", "--json", "--set",
               "fault=wait_once", "--set", "path=" + path("at").string(), "text"}));
  for (unsigned i = 0; i < kills; ++i) {
    const fs::path marker = path(fmt::format("at.BOOM {}", i));
    // Its text is complete once it ends with a newline.
    std::string pid;
    ASSERT_TRUE(eventually([&] {
      pid = fs::exists(marker) ? read(marker) : "";
      return pid.ends_with('\n');
    })) << i;
    ASSERT_EQ(::kill(static_cast<pid_t>(std::stol(pid)), SIGKILL), 0);
  }
  const Finished result = running.wait();
  expect_killed(result, kills);
  std::string expected;
  for (unsigned i = 0; i < kills; ++i) expected += fmt::format("BOOM {}\t1\n", i);
  EXPECT_EQ(result.out, expected + "line\t100\n");
}

// Whatever a process does when it is killed: loading a plugin, starting, waiting for work.
TEST_F(Kill, TenProcessesKilledAsSoonAsTheyAreSeenLeaveTheResultAsItIs) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += fmt::format("BOOM {}\n", i % 50);
  write("text", text);
  const std::string expected = output_of(command({"run", plugin("faulty"), "-q", "text"}));
  Running running(command({"run", plugin("faulty"), "-q", "-j", "2", "--chunk-size", "100", "--set",
                           "fault=slow", "text"}));
  std::set<pid_t> killed;
  ASSERT_TRUE(eventually([&] {
    for (const pid_t each : task_processes()) {
      if (killed.size() < 10 && killed.insert(each).second) ::kill(each, SIGKILL);
    }
    return killed.size() == 10;
  }));
  const Finished result = running.wait();
  expect_ok(result);
  EXPECT_EQ(result.out, expected);
}

TEST_F(Kill, FewFileDescriptorsMeanFewerProcessesAndTheSameResult) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += fmt::format("BOOM {}\n", i % 50);
  write("text", text);
  const std::string expected = output_of(command({"run", plugin("faulty"), "-q", "text"}));
  const std::string limited = fmt::format(
      "ulimit -n 64; \"$MUSTER\" run '{}' -q --set fault=slow -j 64 --chunk-size 64 "
      "--partitions 20 text",
      plugin("faulty"));
  EXPECT_EQ(output_of(shell(limited)), expected);
}

// Kills at random moments, of processes that are seen to have the file of an attempt open.
TEST_F(Kill, TenKillsAtRandomLeaveTheResultAsItIs) {
  constexpr unsigned kills = 10;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += fmt::format("BOOM {}\n", i % 50);
  write("text", text);
  const std::string expected =
      output_of(command({"run", plugin("faulty"), "-q", "text", "--partitions", "3"}));
  Running running(command({"run", plugin("faulty"), "-j", "4", "--chunk-size", "100", "--json",
                           "--partitions", "3", "--set", "fault=slow", "text"}));
  for (unsigned i = 0; i < kills; ++i) ASSERT_TRUE(kill_task_at_work(running, i)) << i;
  const Finished result = running.wait();
  expect_killed(result, kills);
  EXPECT_EQ(result.out, expected);
}

TEST_F(Kill, WordCountSurvivesKillsWithOutputInPartFiles) {
  write("text", skewed_text(60'000'000, 6));
  const std::string expected = output_of(command({"run", "wordcount", "-q", "text"}));
  Running running(command({"run", "wordcount", "-j", "2", "--chunk-size", "2M", "--partitions", "4",
                           "-o", "out", "--json", "text"}));
  unsigned kills = 0;
  while (kills < 3 && kill_task_at_work(running, kills)) ++kills;
  const Finished result = running.wait();
  ASSERT_GT(kills, 0U) << "the job was over before a kill could hit it";
  expect_ok(result);
  EXPECT_NE(result.out.find(fmt::format("\"retries_by_cause\":{{\"killed\":{}}}", kills)),
            std::string::npos)
      << kills << " kills\n"
      << result.text();
  EXPECT_TRUE(output_of(shell("sort out/part-*")) == expected);
  EXPECT_EQ(names_in(work()), (std::vector<std::string>{"out", "text"}));
}

TEST_F(Kill, AChunkThatIsKilledTooOftenFailsTheJob) {
  write("text", "BOOM\n");
  Running running(command({"run", plugin("faulty"), "-o", "out", "--set", "fault=loop", "--set",
                           "path=" + path("started").string(), "text"}));
  while (kill_task_at_work(running, 1)) {
  }
  expect_error(running.wait(), 1,
               {"map chunk 1 of 1 ('text' bytes 0 to 5) failed 16 times",
                "was killed by signal 9 (SIGKILL)"});
  std::vector<std::string> left = names_in(work());
  std::erase(left, "started");  // by the task, if any of its processes came that far
  EXPECT_EQ(left, std::vector<std::string>{"text"});
}

TEST_F(Kill, TheLossOfTheZygoteFailsTheJob) {
  write("text", "BOOM\n");
  Running running(command({"run", plugin("faulty"), "-o", "out", "--set", "fault=loop", "--set",
                           "path=" + path("started").string(), "text"}));
  ASSERT_TRUE(eventually([this] { return fs::exists(path("started")); }));
  for (const auto& [pid, name] : processes_marked(mark())) {
    if (name == "muster-zygote") {
      ASSERT_EQ(::kill(pid, SIGKILL), 0);
    }
  }
  expect_error(running.wait(), 1, {"error: "});
  EXPECT_EQ(names_in(work()), (std::vector<std::string>{"started", "text"}));
}

}  // namespace
}  // namespace muster::testing
