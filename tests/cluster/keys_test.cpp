// Keys, as an operator uses them.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>

#include <sys/stat.h>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

#include "cluster_of_programs.hpp"
#include "square.hpp"
#include "support/raw_peer.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Keys : public ClusterOfPrograms {
 protected:
  void SetUp() override {
    ClusterOfPrograms::SetUp();
    make_keys();
  }

  void expect_ok(const std::vector<std::string>& arguments) {
    const Finished end = muster(arguments);
    EXPECT_EQ(end.exit_code, 0) << end.text();
  }
  void expect_usage(const std::vector<std::string>& arguments, const std::string& text) {
    const Finished end = muster(arguments);
    EXPECT_EQ(end.exit_code, 2) << end.text();
    EXPECT_NE(end.err.find(text), std::string::npos) << end.text();
  }
  ClusterOptions client(const std::string& keys) const {
    return {.keys = keys.empty() ? fs::path() : path(keys), .connect_within = 20s};
  }
  /// What a client with these keys is told.
  std::string refusal(const std::string& keys) {
    ClusterOptions options = client(keys);
    options.connect_within = 2s;
    try {
      const ClusterExecutor cluster(address(), options);
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "it was let in";
    return {};
  }
};

TEST_F(Keys, LetInThoseWhoAreAuthorized) {
  start_coordinator({"--keys", "head"});
  EXPECT_NE(await_line(coordinator(), "with keys"), "");
  start_worker("w1", {"--keys", "node"});
  ClusterExecutor cluster(address(), client("desk/client.key"));
  EXPECT_EQ(cluster.submit(square, 7).result(60s), 49);
}

TEST_F(Keys, KeepOutEverybodyElse) {
  expect_ok({"keys", "init", "client", "--keys", "stranger"});
  fs::copy_file(path("head/coordinator.pub"), path("stranger/coordinator.pub"));
  start_coordinator({"--keys", "head"});
  EXPECT_NE(refusal("stranger").find("does not know this key"), std::string::npos);
  EXPECT_NE(refusal("").find("keys"), std::string::npos) << "a client without any";
  Running& worker = start_worker("as-client", {"--keys", "desk/client.key"});
  const Finished end = worker.wait();
  EXPECT_EQ(end.exit_code, 2) << end.text();
  EXPECT_NE(end.err.find("may not be a worker"), std::string::npos) << end.text();
  fs::copy_file(path("desk/client.pub"), path("stranger/coordinator.pub"),
                fs::copy_options::overwrite_existing);
  EXPECT_NE(refusal("stranger"), "") << "of another coordinator";
}

TEST_F(Keys, AreTakenAwayAndGivenWithoutARestart) {
  start_coordinator({"--keys", "head"});
  Running& worker = start_worker("w1", {"--keys", "node"});
  ClusterExecutor cluster(address(), client("desk"));
  EXPECT_EQ(cluster.submit(square, 7).result(60s), 49);
  expect_ok({"keys", "revoke", "node1", "--keys", "head"});
  EXPECT_NE(await_line(coordinator(), "its key was revoked"), "");
  EXPECT_EQ(worker.wait().exit_code, 2) << "it is told, and ends";
  const Future<int> waits = cluster.submit(square, 8);
  EXPECT_FALSE(waits.wait(200ms));
  expect_ok({"keys", "authorize", "node/worker.pub", "--role", "worker", "--name", "node1",
             "--keys", "head"});
  start_worker("w1", {"--keys", "node"});
  EXPECT_EQ(waits.result(60s), 64);
  expect_ok({"keys", "revoke", "alice", "--keys", "head"});
  EXPECT_NE(await_line(coordinator(), "client 'cluster_programs' has gone"), "");
  EXPECT_TRUE(eventually([&] {
    try {
      cluster.submit(square, 1);
    } catch (const BrokenExecutor&) {
      return true;
    }
    return false;
  }));
}

// The owner of a stolen key goes on under his name with another one; the thief does not.
TEST_F(Keys, ThatWereReplacedAreOfNoUse) {
  start_coordinator({"--keys", "head"});
  start_worker("w1", {"--keys", "node"});
  ClusterExecutor thief(address(), client("desk"));
  EXPECT_EQ(thief.submit(square, 7).result(60s), 49);
  expect_ok({"keys", "init", "client", "--keys", "new-desk"});
  fs::copy_file(path("head/coordinator.pub"), path("new-desk/coordinator.pub"));
  expect_ok({"keys", "revoke", "alice", "--keys", "head"});
  expect_ok({"keys", "authorize", "new-desk/client.pub", "--role", "client", "--name", "alice",
             "--keys", "head"});
  EXPECT_NE(await_line(coordinator(), "its key was revoked"), "");
  ClusterExecutor owner(address(), client("new-desk"));
  EXPECT_EQ(owner.submit(square, 8).result(60s), 64);
}

// A message that was sent is not told from one that arrived: the handshake has to say it.
TEST_F(Keys, ThatAreMissingOnOneSideAreNamedAsTheCause) {
  start_coordinator({"--keys", "head"});
  Running& without = start_worker("without");
  EXPECT_NE(await_line(without, "one side uses keys and the other none"), "");
  test::RawPeer raw(address());
  EXPECT_FALSE(raw.shake_hands()) << "it speaks NULL, not CURVE";
  EXPECT_TRUE(raw.is_closed_within(20s));
  start_worker("with", {"--keys", "node"});
  ClusterExecutor cluster(address(), client("desk"));
  EXPECT_EQ(cluster.submit(square, 7).result(60s), 49);
  EXPECT_EQ(cluster.worker_count(), 1U);
  kill(coordinator_slot(), SIGTERM);
  forget_address();
  start_coordinator();
  EXPECT_NE(refusal("desk").find("one side uses keys and the other none"), std::string::npos);
  Running& with = start_worker("with", {"--keys", "node"});
  EXPECT_NE(await_line(with, "one side uses keys and the other none"), "");
}

TEST_F(Keys, ThatWereRevokedDoNotComeInAgain) {
  start_coordinator({"--keys", "head"});
  start_worker("w1", {"--keys", "node"});
  ClusterExecutor cluster(address(), client("desk"));
  EXPECT_EQ(cluster.submit(square, 7).result(60s), 49);
  expect_ok({"keys", "revoke", "node1", "--keys", "head"});
  EXPECT_EQ(workers().front()->wait().exit_code, 2);
  Running& again = start_worker("w1", {"--keys", "node"});
  EXPECT_NE(await_line(again, "does not know this key"), "");
  Running& keyless = start_worker("w2", {"--keys", "nowhere"});
  const Finished end = keyless.wait();
  EXPECT_NE(end.exit_code, 0);
  EXPECT_NE(end.err.find("nowhere"), std::string::npos) << end.text();
}

TEST_F(Keys, AreKeptSafe) {
  expect_usage({"keys", "init", "--keys", "head"}, "there is a key already");
  expect_usage({"keys", "init", "../x", "--keys", "head"}, "name of a key");
  expect_usage({"keys", "authorize", "desk/client.pub", "--keys", "head"}, "--role");
  expect_usage({"keys", "authorize", "desk/client.pub", "--role", "king", "--keys", "head"},
               "worker or client");
  expect_usage({"keys", "authorize", "desk/client.pub", "--role", "client", "--keys", "head"},
               "authorized already");
  expect_usage({"keys", "authorize", "desk/client.key", "--role", "client", "--keys", "head"},
               "secret key");
  expect_usage({"keys", "revoke", "nobody", "--keys", "head"}, "nobody");
  expect_usage({"keys", "lst"}, "list");
  expect_usage({"keys", "list", "everybody", "--keys", "head"}, "everybody");
  // Typing errors, and the wrong machine: nothing is made, and nothing seems to have worked.
  expect_usage({"keys", "list", "--keys", "haed"}, "no coordinator.key in 'haed'");
  expect_usage({"keys", "revoke", "alice", "--keys", "haed"}, "haed");
  expect_usage({"keys", "authorize", "desk/client.pub", "--role", "client", "--keys", "desk"},
               "coordinator's machine");
  expect_usage({"jobs", "--keys", "haed"}, "muster keys init client");
  EXPECT_FALSE(fs::exists(path("haed")));
  EXPECT_FALSE(fs::exists(path("desk/authorized")));
  const Finished list = muster({"keys", "list", "--keys", "head"});
  EXPECT_NE(list.out.find("alice"), std::string::npos) << list.text();
  EXPECT_NE(list.out.find("node1"), std::string::npos) << list.text();
  struct stat info {};
  ASSERT_EQ(::stat(path("head/coordinator.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  ASSERT_EQ(::chmod(path("head/coordinator.key").c_str(), 0640), 0);
  const Finished end =
      run(command("muster-coordinator", {"--bind", "tcp://127.0.0.1:*", "--keys", "head"}));
  EXPECT_EQ(end.exit_code, 2) << end.text();
  EXPECT_NE(end.err.find("chmod 600"), std::string::npos) << end.text();
  const Finished none =
      run(command("muster-coordinator", {"--bind", "tcp://127.0.0.1:*", "--keys", "haed"}));
  EXPECT_EQ(none.exit_code, 2) << none.text();
  EXPECT_NE(none.err.find("muster keys init coordinator"), std::string::npos) << none.text();
  EXPECT_FALSE(fs::exists(path("haed")));
}

TEST_F(Keys, OfTheManualAreRefused) {
  const fs::path file = path("known.pub");
  write_file_synced(file, "public Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\n");
  expect_usage({"keys", "authorize", file.string(), "--role", "client", "--keys", "head"},
               "ZeroMQ's manual");
}

}  // namespace
}  // namespace muster::testing
