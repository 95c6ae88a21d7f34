#include <csignal>
#include <filesystem>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/launch/cluster_directory.hpp>

namespace muster::launch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

ClusterSpec full_spec() {
  ClusterSpec out;
  out.name = "mine";
  out.token = make_token();
  out.host = "head";
  out.launcher = LauncherKind::ssh;
  out.wanted = 7;
  out.adapt = AdaptRange{2, 9};
  out.worker = {"/w", "tcp://head:1", "/keys", 3, 4h, {"A=b c", "D="}};
  out.bind = "tcp://127.0.0.1:*";
  out.worker.sandbox = {"--sandbox", "require", "--sandbox-write", "/results"};
  out.coordinator_program = "/c";
  out.sbatch_flags = {"-p", "x y"};
  out.drain_time = 90s;
  out.hosts = {{"a", 1}, {"b", 4}};
  out.ssh_command = {"ssh", "-F", "f"};
  out.poll = 250ms;
  return out;
}

class ClusterDirectoryTest : public ::testing::Test {
 protected:
  TempDir parent{default_temp_parent()};
  ClusterDirectory directory{parent.path() / "clusters", "mine"};
};

TEST_F(ClusterDirectoryTest, KeepsTheSpec) {
  const ClusterSpec spec = full_spec();
  directory.claim(spec);
  EXPECT_EQ(directory.load(), spec);
  ClusterSpec changed = spec;
  changed.worker.coordinator = "tcp://head:2";
  changed.worker.slots.reset();
  changed.worker.lifetime.reset();
  directory.save(changed);
  EXPECT_EQ(directory.load(), changed);
  EXPECT_EQ(ClusterDirectory::names(parent.path() / "clusters"),
            (std::vector<std::string>{"mine"}));
  directory.remove();
  EXPECT_TRUE(fs::is_empty(parent.path() / "clusters"));
}

TEST_F(ClusterDirectoryTest, IsClaimedOnce) {
  directory.claim(full_spec());
  try {
    directory.claim(full_spec());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(error.hint().find("muster cluster down mine"), std::string::npos);
  }
  const auto entries = fs::directory_iterator(parent.path() / "clusters");
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1) << "nothing else is left";
}

TEST_F(ClusterDirectoryTest, WhatIsNotThereIsSaid) {
  EXPECT_THROW(static_cast<void>(directory.load()), Error);
  EXPECT_TRUE(ClusterDirectory::names(parent.path() / "clusters").empty());
  for (const char* each : {"", ".", "..", "a/b", "-x", ".x", "a b", "a123456789012345678901234"})
    EXPECT_THROW(ClusterDirectory(parent.path(), each), Error) << each;
}

TEST_F(ClusterDirectoryTest, DamageIsFound) {
  directory.claim(full_spec());
  for (const char* each : {"", "{}", "[1]", "{\"schema\": 1}", "{\"schema\": \"x\"}"}) {
    write_file_synced(directory.path() / "cluster.json", each);
    EXPECT_THROW(static_cast<void>(directory.load()), Error) << each;
  }
}

TEST_F(ClusterDirectoryTest, LogsHaveNumbersOfTheirOwn) {
  directory.claim(full_spec());
  std::set<std::string> numbers;
  for (int i = 0; i < 5; ++i) numbers.insert(directory.make_log("worker"));
  EXPECT_EQ(numbers, (std::set<std::string>{"1", "2", "3", "4", "5"}));
  EXPECT_TRUE(fs::exists(directory.log_of("worker", "3")));
  write_file_synced(directory.log_of("worker", "3"), std::string(5000, 'x') + "the end\n");
  EXPECT_TRUE(tail_of(directory.log_of("worker", "3")).ends_with("xthe end"));
  EXPECT_LT(tail_of(directory.log_of("worker", "3")).size(), 700U);
  EXPECT_EQ(tail_of("/no/such/log"), "");
}

TEST_F(ClusterDirectoryTest, OneKeeperAtATime) {
  directory.claim(full_spec());
  EXPECT_FALSE(directory.keeper());
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = directory.lock_for_keeper();
    const char has_it = lock ? 'y' : 'n';
    static_cast<void>(::write(ready[1], &has_it, 1));
    ::pause();
    ::_exit(0);
  }
  char has_it = 'n';
  ASSERT_EQ(::read(ready[0], &has_it, 1), 1);
  EXPECT_EQ(has_it, 'y');
  EXPECT_EQ(directory.keeper(), child);
  EXPECT_FALSE(directory.lock_for_keeper());
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(directory.keeper());
  EXPECT_TRUE(directory.lock_for_keeper());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(ClusterSpecTest, LauncherKinds) {
  EXPECT_EQ(parse_launcher_kind("slurm"), LauncherKind::slurm);
  EXPECT_THROW(parse_launcher_kind("pbs"), Error);
}

}  // namespace
}  // namespace muster::launch
