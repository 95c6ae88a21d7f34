// The scripts, run by the shell of this machine: what ssh would do with them elsewhere.
#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/launch/marked_process.hpp>
#include <muster/launch/poll.hpp>
#include <muster/launch/run_program.hpp>
#include <muster/launch/ssh_script.hpp>

namespace muster::launch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class SshScript : public ::testing::Test {
 protected:
  SshScript() {
    spec.name = "mine";
    spec.token = make_token();
    worker = directory.path() / "it's a worker";
    write_file_synced(worker, "#!/bin/sh\necho \"$@\"\nexec /bin/sleep 60\n");
    fs::permissions(worker, fs::perms::owner_all);
    spec.worker.program = worker;
  }
  ~SshScript() override { end_marked(spec.token, host, 0s); }

  ProgramEnd run(const std::string& script, const char* shell = "sh") const {
    return run_program({{"env", "XDG_STATE_HOME=" + directory.path().string(), shell}, script},
                       30s);
  }
  std::vector<Pilot> look() const {
    const ProgramEnd end = run(ssh_look_script(spec, host));
    EXPECT_TRUE(end.ok()) << end.reason();
    return parse_look(end.out, host);
  }

  const std::string host = "user@node[1].example";
  TempDir directory{default_temp_parent()};
  ClusterSpec spec;
  fs::path worker;
};

TEST_F(SshScript, StartsLooksAndEnds) {
  EXPECT_TRUE(look().empty());
  const ProgramEnd started = run(ssh_start_script(spec, host, 2));
  ASSERT_TRUE(started.ok()) << started.reason();
  ASSERT_TRUE(poll_until([&] { return look().size() == 2; }, 20s, 10ms));
  auto pilots = look();
  std::sort(pilots.begin(), pilots.end(), [](auto& a, auto& b) { return a.id < b.id; });
  EXPECT_EQ(pilots[0].id, host + ":1");
  EXPECT_EQ(pilots[1].id, host + ":2");
  EXPECT_EQ(pilots[0].log, directory.path() / "muster/clusters/mine/logs/worker-1.log");
  const ProgramEnd ended = run(ssh_end_script(spec, host, 5s));
  EXPECT_TRUE(ended.ok()) << ended.reason();
  EXPECT_TRUE(look().empty());
  EXPECT_FALSE(fs::exists(directory.path() / "muster/clusters/mine")) << "logs are removed";
}

TEST_F(SshScript, OtherHostsAndClustersAreLetBe) {
  ASSERT_TRUE(run(ssh_start_script(spec, host, 1)).ok());
  ASSERT_TRUE(poll_until([&] { return look().size() == 1; }, 20s, 10ms));
  EXPECT_TRUE(run(ssh_end_script(spec, "other", 1s)).ok());
  ClusterSpec other = spec;
  other.token = make_token();
  EXPECT_TRUE(run(ssh_end_script(other, host, 1s)).ok());
  EXPECT_EQ(look().size(), 1U);
}

TEST_F(SshScript, DrainsThoseThatAreNamed) {
  ASSERT_TRUE(run(ssh_start_script(spec, host, 3)).ok());
  ASSERT_TRUE(poll_until([&] { return look().size() == 3; }, 20s, 10ms));
  // sleep is ended by the signal at which a worker drains.
  EXPECT_TRUE(run(ssh_drain_script(spec, host, {"1", "3"})).ok());
  ASSERT_TRUE(poll_until([&] { return look().size() == 1; }, 20s, 10ms));
  EXPECT_EQ(look().front().id, host + ":2");
}

TEST_F(SshScript, KillsWhatDoesNotEnd) {
  write_file_synced(worker, "#!/bin/sh\ntrap '' TERM\nexec /bin/sleep 60\n");
  ASSERT_TRUE(run(ssh_start_script(spec, host, 1)).ok());
  ASSERT_TRUE(poll_until([&] { return look().size() == 1; }, 20s, 10ms));
  EXPECT_TRUE(run(ssh_end_script(spec, host, 1s)).ok());
  EXPECT_TRUE(look().empty());
}

TEST_F(SshScript, SaysWhatIsMissing) {
  spec.worker.program = "/no/such worker";
  const ProgramEnd end = run(ssh_start_script(spec, host, 1));
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_EQ(end.reason(), "there is no program /no/such worker");
}

TEST_F(SshScript, SaysWhatWorkersSayThatEndAtOnce) {
  write_file_synced(worker, "#!/bin/sh\necho 'no key' >&2\nexit 2\n");
  const ProgramEnd end = run(ssh_start_script(spec, host, 2));
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_EQ(end.reason(), "no key");
}

TEST_F(SshScript, RunsInOtherShells) {
  if (!find_program("bash")) GTEST_SKIP() << "bash is missing";
  ASSERT_TRUE(run(ssh_start_script(spec, host, 1), "bash").ok());
  ASSERT_TRUE(poll_until([&] { return look().size() == 1; }, 20s, 10ms));
  EXPECT_TRUE(run(ssh_end_script(spec, host, 1s), "bash").ok());
  EXPECT_TRUE(look().empty());
}

TEST(SshLook, ListingsAreChecked) {
  const auto pilots = parse_look("4711 3 /home/a b/worker-3.log\n", "h");
  ASSERT_EQ(pilots.size(), 1U);
  EXPECT_EQ(pilots[0].id, "h:3");
  EXPECT_EQ(pilots[0].place, "pid 4711 on h");
  EXPECT_EQ(pilots[0].log, "/home/a b/worker-3.log");
  EXPECT_THROW(parse_look("Welcome to node1!\n", "h"), Error);
}

}  // namespace
}  // namespace muster::launch
