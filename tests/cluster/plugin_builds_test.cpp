// Plugins of one name that are not the same: of two clients, and on a worker or a coordinator whose
// file is not what its name says. A job is run by the build that it was submitted with.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cluster_jobs.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr int lines = 40;

class PluginBuilds : public ClusterJobs {
 protected:
  void SetUp() override {
    ClusterJobs::SetUp();
    std::string text;
    for (int i = 0; i < lines; ++i) text += fmt::format("line {:04}\n", i);
    write("lines", text);
  }

  static std::string file(const std::string& build) {
    return std::string(MUSTER_TEST_PLUGINS) + "/" + build + "/marked.so";
  }
  /// In a coordinator's store, or in a worker's cache.
  fs::path stored(const std::string& where, const std::string& build) {
    std::string& digest = digests_[build];
    if (digest.empty()) {
      const Finished pushed = on_cluster({"plugin", "push", file(build)});
      EXPECT_EQ(pushed.exit_code, 0) << pushed.text();
      digest = pushed.out.substr(0, 64);
    }
    return path(where) / "muster" / "programs" / digest;
  }
  /// What is there now is of another build.
  void replace(const fs::path& stored, const std::string& by_build) {
    fs::create_directories(stored.parent_path());
    fs::copy_file(file(by_build), path("copy"), fs::copy_options::overwrite_existing);
    fs::rename(path("copy"), stored);
    ++faults;
  }
  /// What is there now is damaged, in place.
  void damage(const fs::path& stored) {
    fs::permissions(stored, fs::perms::owner_all);
    const auto size = static_cast<std::streamoff>(fs::file_size(stored));
    std::fstream out(stored, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(size / 2);
    out << std::string(64, 'x') << std::flush;
    EXPECT_TRUE(out.good());
    ++faults;
  }

  std::vector<std::string> task(const std::string& build,
                                const std::vector<std::string>& more = {}) const {
    std::vector<std::string> out{"run", file(build) + ":marked", "lines", "--chunk-size", "50",
                                 "-q"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  static std::string marked(const std::string& build) {
    std::string out;
    for (int i = 0; i < lines; ++i) out += fmt::format("{}: line {:04}\t1\n", build, i);
    return out;
  }
  /// The result is that of this build, as on this machine alone, and no attempt has failed.
  void expect_right_code(const std::string& build) {
    const Finished here = muster(task(build));
    const Finished there = on_cluster(task(build));
    ASSERT_EQ(there.exit_code, 0) << there.text();
    EXPECT_EQ(here.out, marked(build));
    EXPECT_EQ(there.out, here.out);
    EXPECT_EQ(count(log(std::to_string(++jobs_)), "failed"), 0) << log(std::to_string(jobs_));
  }

 private:
  std::map<std::string, std::string> digests_;
  int jobs_ = 0;
};

TEST_F(PluginBuilds, OfTwoClientsAtATimeAreNotMixedUp) {
  start_coordinator();
  start_worker("a", {"--slots", "2", "--sandbox-write", path("")});
  const std::vector<std::string> builds{"one", "other"};
  std::vector<std::unique_ptr<Running>> clients;
  for (const std::string& each : builds) {
    clients.push_back(std::make_unique<Running>(command(
        "muster", for_cluster(task(
                      each, {"--set", "until=" + path(each).string(), "--set", "at=line 0000"})))));
  }
  for (const std::string& each : builds)
    ASSERT_TRUE(eventually([&] { return fs::exists(path(each + ".reached")); })) << each;
  for (const std::string& each : builds) write(each, "");
  for (std::size_t i = 0; i < builds.size(); ++i) {
    const Finished end = clients[i]->wait();
    EXPECT_EQ(end.exit_code, 0) << end.text();
    EXPECT_EQ(end.out, marked(builds[i]));
  }
}

TEST_F(PluginBuilds, ThatReplaceEachOtherOnADiskAreToldApart) {
  start_coordinator();
  start_worker("a", {"--sandbox-write", path("")});
  const std::string own = path("own.so");
  for (const char* build : {"one", "other", "one"}) {
    fs::copy_file(file(build), path("copy"));
    fs::rename(path("copy"), own);
    ++faults;
    const Finished there =
        on_cluster({"run", own + ":marked", "lines", "--chunk-size", "50", "-q"});
    EXPECT_EQ(there.exit_code, 0) << there.text();
    EXPECT_EQ(there.out, marked(build));
  }
  EXPECT_EQ(faults, 3);
}

TEST_F(PluginBuilds, UnderAWrongNameInACacheAreFetchedAnew) {
  start_coordinator();
  replace(stored("cache", "one"), "other");
  fs::copy_file(file("other"), stored("cache", "other"));
  damage(stored("cache", "other"));
  replace(stored("state", "one"), "other");
  start_worker("a", {"--sandbox-write", path("")});
  expect_right_code("one");
  expect_right_code("other");
  EXPECT_TRUE(read(stored("cache", "one")) == read(file("one")));
  EXPECT_TRUE(read(stored("cache", "other")) == read(file("other")));
  EXPECT_TRUE(read(stored("state", "one")) == read(file("one")));
  EXPECT_EQ(faults, 3);
}

// Also when worker and coordinator have looked at the files already, and use them.
TEST_F(PluginBuilds, ThatChangeInACacheMeanwhileAreFetchedAnew) {
  start_coordinator();
  start_worker("a", {"--sandbox-write", path("")});
  for (int round = 0; round < 2; ++round) {
    expect_right_code("one");
    replace(stored("cache", "one"), "other");
    replace(stored("state", "one"), "other");
    expect_right_code("one");
    damage(stored("cache", "one"));
    damage(stored("state", "one"));
    expect_right_code("one");
    EXPECT_TRUE(fs::remove(stored("cache", "one")));
    ++faults;
  }
  expect_right_code("one");
  EXPECT_TRUE(read(stored("cache", "one")) == read(file("one")));
  EXPECT_EQ(faults, 10);
}

// A process that comes later loads the file again.
TEST_F(PluginBuilds, ThatChangeInACacheDuringAJobAreFetchedAnew) {
  start_coordinator();
  start_worker("a", {"--sandbox-write", path("")});
  const std::vector<std::string> more{"--set", "until=" + path("gate").string(), "--set",
                                      "dead=" + path("dead").string()};
  write("lines", "line 0000\nline 0001\nline 0002\nline 0003\nline 0004\nDIE\n");
  Running client(command("muster", for_cluster(task("one", more))));
  ASSERT_TRUE(eventually([&] { return fs::exists(path("gate.reached")); })) << "it is loaded";
  replace(stored("cache", "one"), "other");
  write("gate", "");
  const Finished end = client.wait();
  EXPECT_EQ(end.exit_code, 0) << end.text();
  std::string expected_lines = "one: DIE\t1\n";
  for (int i = 0; i < 5; ++i) expected_lines += fmt::format("one: line {:04}\t1\n", i);
  EXPECT_EQ(end.out, expected_lines);
  EXPECT_TRUE(fs::exists(path("dead"))) << "no process was killed";
  EXPECT_EQ(count(log("1"), "failed, killed"), 1) << log("1");
  EXPECT_EQ(count(log("1"), "failed"), 1) << log("1");
  EXPECT_TRUE(read(stored("cache", "one")) == read(file("one")));
  EXPECT_EQ(faults, 1);
}

}  // namespace
}  // namespace muster::testing
