// A pilot that is there twice: Slurm has given up a node, on which the old copy still runs.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "slurm_cluster.hpp"
#include "support/held_link.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int files_of_output = 3;  // two parts and the manifest

class SlurmSplitBrain : public Slurm {
 protected:
  void SetUp() override {
    coordinator_options = {"--lease", "3s", "--no-speculation"};
    Slurm::SetUp();
    std::string text;
    for (int i = 0; i < 200; ++i) text += fmt::format("line {:04}\n", i % 70);
    write("lines", text);
  }
  void TearDown() override {
    // Slurm knows nothing of it any more.
    for (const char* name : {"slurmstepd", "muster-worker", "slurm_script", "bash", "sh"}) {
      for (const pid_t each : processes(name)) ::kill(each, SIGKILL);
    }
    Slurm::TearDown();
  }

  std::vector<std::string> task(const std::vector<std::string>& more) const {
    std::vector<std::string> out{MUSTER_TEST_PLUGINS "/one/marked.so:marked",
                                 "lines",
                                 "--chunk-size",
                                 "100",
                                 "--partitions",
                                 "2",
                                 "--set",
                                 "until=" + path("gate").string()};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  /// So many have come to the gate since it was last closed.
  bool are_at_gate(int tasks) {
    return eventually([&] { return count(read(path("gate.reached")), "\n") >= tasks; }, 60s);
  }
  void close_gate() {
    fs::remove(path("gate.reached"));  // while it is open nobody writes there
    fs::remove(path("gate"));
  }
  /// The processes of that name that belong to a worker of this name.
  std::vector<pid_t> copies_of(const std::string& worker) {
    std::vector<pid_t> out;
    for (const pid_t each : processes("muster-worker")) {
      const std::string command = read(fmt::format("/proc/{}/cmdline", each));
      if (command.find(worker) != std::string::npos) out.push_back(each);
    }
    return out;
  }
  /// Slurmd is killed and its steps are not; then Slurm is told that the node is down.
  void lose(const std::string& node) {
    slurm->kill_slurmd(node);
    const Finished down =
        slurm->call({"scontrol", "update", "nodename=" + node, "state=down", "reason=test"});
    EXPECT_EQ(down.exit_code, 0) << down.text();
    ++faults;
  }
};

TEST_F(SlurmSplitBrain, TheOldCopyOfARequeuedPilotIsNotBelieved) {
  if (IsSkipped()) return;
  write("gate", "");
  std::vector<std::string> local = task({"-q", "-o", "here"});
  local.insert(local.begin(), "run");
  ASSERT_EQ(muster(local).exit_code, 0);
  close_gate();

  test::HeldLink link(address());
  address_of(up_at(link.address(), {"-n", "2", "--sandbox-write", path(""), "--", "--exclusive"}));
  ASSERT_TRUE(are_running(2)) << "each on a node of its own";
  const std::string pilot = slurm->queue().front();
  const std::string worker = "default-" + pilot;
  const auto joined = [&] { return count(coordinator().err(), "worker '" + worker + "' of "); };
  const std::string job = submit(task({"-o", "there"}));
  ASSERT_TRUE(are_at_gate(2));
  const auto old_copy = copies_of(worker);
  ASSERT_FALSE(old_copy.empty());

  // Its result is on the way when it is taken for lost.
  link.hold(worker);
  write("gate", "");
  ASSERT_TRUE(eventually([&] { return link.held_frames(wire::MessageType::ends) != 0; }));
  ASSERT_TRUE(has_done(job, 1)) << "by the other one, which has passed the gate, too";
  close_gate();
  for (const pid_t each : old_copy) ::kill(each, SIGSTOP);
  lose(slurm->queue("%N").front());
  EXPECT_NE(await_line(coordinator(), "'" + worker + "' has gone: it was not heard of"), "");
  ASSERT_TRUE(are_at_gate(1)) << "the other one runs its chunks";
  const std::size_t late = link.held_frames();
  link.release();
  ASSERT_TRUE(eventually([&] { return link.answered() != 0; })) << "it is refused";

  ASSERT_TRUE(eventually([&] { return joined() == 2; }, 60s)) << "it was requeued";
  for (const pid_t each : old_copy) ::kill(each, SIGCONT);
  const fs::path pilot_log = of_cluster() / "logs" / (pilot + ".log");
  EXPECT_TRUE(eventually([&] { return count(read(pilot_log), "is there") != 0; }))
      << "the old copy is not let in beside the new one: " << read(pilot_log);

  write("gate", "");
  expect_success(job);
  expect_same_files("here", "there", files_of_output);
  const std::string told = log(job);
  EXPECT_EQ(count(told, "it has succeeded"), 1) << told;
  EXPECT_EQ(count(told, "'" + worker + "' has gone"), 1) << told;
  EXPECT_EQ(count(told, "failed"), 0) << told;
  EXPECT_EQ(faults, 1);
  expect_down();
  coordinator().send(SIGTERM);
  const Finished end = coordinator().wait();
  const auto at = end.err.find(" frames refused because their session was over");
  ASSERT_NE(at, std::string::npos) << end.err;
  const auto refused = std::stoul(end.err.substr(end.err.rfind(' ', at - 1) + 1));
  EXPECT_GE(late, 1U);
  EXPECT_GE(refused, late) << end.err;
  EXPECT_NE(end.err.find(" 1 workers lost"), std::string::npos) << end.err;
}

}  // namespace
}  // namespace muster::testing
