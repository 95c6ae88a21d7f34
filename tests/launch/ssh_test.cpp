// Clusters over ssh, with an sshd of the test's own. Two names of hosts are this machine.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "cluster_command.hpp"
#include "slurm_daemons.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Ssh : public ClusterCommand {
 protected:
  void SetUp() override {
    ClusterCommand::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "sshd needs root";
    for (const char* each : {"/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen"}) {
      if (::access(each, X_OK) != 0) GTEST_SKIP() << each << " is missing: scripts/setup";
    }
    fs::create_directories("/run/sshd");  // sshd insists
    for (const char* each : {"host", "user"}) {
      const Finished end =
          run(plain({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path(each).string()}));
      ASSERT_EQ(end.exit_code, 0) << end.text();
    }
    start_sshd();
    start_coordinator({"--lease", "1s"});
  }
  void TearDown() override {
    if (sshd != nullptr && fs::exists(of_cluster())) cluster({"down", "--grace", "1s"});
    sshd.reset();
    ClusterCommand::TearDown();
  }

  Command plain(Options arguments) const {
    Command out = command("muster", {});
    out.arguments = std::move(arguments);
    return out;
  }
  /// What comes over ssh is marked as of this test, and has its files there.
  void start_sshd() {
    if (port == 0) port = free_ports(1).front();
    const auto environment_here = command("muster", {}).environment;
    std::string set_env = "SetEnv";
    for (const std::string& each : environment_here) set_env += " " + each;
    write_file_synced(path("sshd_config"),
                      fmt::format("Port {}\nListenAddress 127.0.0.1\nHostKey {}\n"
                                  "AuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n"
                                  "PermitRootLogin yes\nPasswordAuthentication no\n"
                                  "PidFile none\nMaxStartups 100\n{}\n",
                                  port, path("host").string(), path("user.pub").string(), set_env));
    write_file_synced(path("ssh_config"),
                      fmt::format("Host node1 node2\n  HostName 127.0.0.1\n  Port {}\n"
                                  "  IdentityFile {}\n  IdentitiesOnly yes\n"
                                  "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"
                                  "  LogLevel ERROR\n",
                                  port, path("user").string()));
    sshd = std::make_unique<Running>(
        plain({"/usr/sbin/sshd", "-D", "-e", "-f", path("sshd_config").string()}));
    EXPECT_NE(await_line(*sshd, "Server listening"), "") << sshd->err();
  }

  Finished up_with(Options arguments) const {
    arguments.insert(arguments.begin(),
                     {"--launcher", "ssh", "--coordinator", address(), "--poll", "500ms",
                      "--ssh-command", "ssh -F " + path("ssh_config").string()});
    return up(std::move(arguments));
  }

  int port = 0;
  std::unique_ptr<Running> sshd;
};

TEST_F(Ssh, UpRunsCallsReplacesWhatDiesAndDownLeavesNothing) {
  write_file_synced(path("hosts"), "node1  # mine\nnode2\n");
  ASSERT_EQ(address_of(up_with({"--hostfile", "hosts"})), address());
  const std::string status = cluster({"status"}).out;
  EXPECT_NE(status.find("launcher ssh, 2 workers wanted, 2 running"), std::string::npos) << status;
  for (const std::string host : {"node1", "node2"}) {
    const std::string line = "on " + host + "; log " + of_cluster().string() + "/logs/worker-";
    EXPECT_NE(status.find(line), std::string::npos) << status;
  }
  ClusterExecutor executor(address());
  const auto futures = submit_all(executor);
  ASSERT_TRUE(have_run(20));
  const auto workers = processes("muster-worker");
  ASSERT_EQ(workers.size(), 2U);
  ::kill(workers.front(), SIGKILL);
  expect_all(futures);
  EXPECT_TRUE(eventually([&] {
    const auto now = processes("muster-worker");
    return now.size() == 2 && std::find(now.begin(), now.end(), workers.front()) == now.end();
  }));
  executor.shutdown();
  expect_down();
  EXPECT_TRUE(processes("muster-worker").empty());
}

TEST_F(Ssh, AHostThatDoesNotAnswerIsWaitedFor) {
  address_of(up_with({"--hosts", "node1,node2*2"}));
  sshd.reset();
  EXPECT_TRUE(status_says("0 running, 3 unknown"));
  EXPECT_TRUE(status_says("host 'node2' is not reached by ssh"));
  EXPECT_EQ(processes("muster-worker").size(), 3U);
  const Finished end = cluster({"down"});
  EXPECT_EQ(end.exit_code, 1) << end.text();
  EXPECT_NE(end.err.find("host 'node1' is not reached by ssh"), std::string::npos) << end.text();
  EXPECT_TRUE(fs::exists(of_cluster())) << "it can be done again";
  start_sshd();
  expect_down();
  EXPECT_TRUE(processes("muster-worker").empty());
}

TEST_F(Ssh, FailuresNameTheHost) {
  expect_refused(up_with({"--hosts", "node1,nowhere.invalid"}), 1, "'nowhere.invalid'");
  expect_refused(up_with({"--hosts", "node1", "--worker-program", "/no/such/worker"}), 1,
                 "on host 'node1': there is no program /no/such/worker");
  expect_refused(up_with({"--hosts", "node1", "-n", "2"}), 2, "the hosts take 1 workers, not 2");
  expect_refused(up({"--launcher", "ssh", "--coordinator", address(), "--hosts", "node1",
                     "--ssh-command", "no-such-ssh"}),
                 2, "no-such-ssh");
}

}  // namespace
}  // namespace muster::testing
