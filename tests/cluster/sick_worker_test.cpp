// Workers that are not lost and yet of no use: their disk is full, or what they run hangs.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/mount.h>

#include "cluster_of_programs.hpp"
#include "support/reference.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;

class SickWorkers : public ClusterOfPrograms {
 protected:
  ~SickWorkers() override {
    if (!mounted_.empty()) ::umount2(mounted_.c_str(), MNT_DETACH);
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  Finished on_cluster(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--coordinator", address()});
    return muster(std::move(arguments));
  }
  /// A file system of that size; false where none can be made.
  bool make_small_disk(const std::string& name, const std::string& size) {
    std::filesystem::create_directory(path(name));
    if (::mount("tmpfs", path(name).c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0)
      return false;
    mounted_ = path(name);
    return true;
  }

 private:
  std::filesystem::path mounted_;
};

TEST_F(SickWorkers, PauseWhileTheirDiskIsFull) {
  if (!make_small_disk("small", "3M")) GTEST_SKIP() << "no file system can be mounted here";
  start_coordinator();
  Running& small = start_worker("small", {"--scratch", path("small"), "--min-free", "1M"});
  start_worker("large");
  ASSERT_NE(await_line(coordinator(), "'large'"), "");
  write("text", skewed_text(40'000'000, 3));
  const std::vector<std::string> task{"run", "wordcount", "text", "--chunk-size", "1M", "-q"};
  const Finished here = muster(task);
  const Finished there = on_cluster(task);
  ASSERT_EQ(there.exit_code, 0) << there.text();
  EXPECT_TRUE(here.out == there.out);
  EXPECT_NE(small.err().find("is full"), std::string::npos) << small.err();
  EXPECT_NE(coordinator().err().find("is full"), std::string::npos) << coordinator().err();
  EXPECT_EQ(on_cluster({"logs", "1"}).out.find("no_space"), std::string::npos)
      << "a full disk is the worker's affair";
  EXPECT_NE(await_line(small, "there is room again"), "") << "what the job had left is gone";
}

TEST_F(SickWorkers, EndJobsIfNobodyMakesRoom) {
  if (!make_small_disk("small", "3M")) GTEST_SKIP() << "no file system can be mounted here";
  start_coordinator({"--recover-within", "2s"});
  Running& small = start_worker("small", {"--scratch", path("small"), "--min-free", "1M"});
  write("text", skewed_text(40'000'000, 3));
  const Finished there = on_cluster({"run", "wordcount", "text", "--chunk-size", "1M", "-q"});
  EXPECT_EQ(there.exit_code, 1) << there.text();
  EXPECT_NE(there.err.find("no worker takes anything: their disks are full"), std::string::npos)
      << there.text();
  EXPECT_NE(await_line(small, "there is room again"), "") << "what the job had left is gone";
  write("text", "a few words\n");
  EXPECT_EQ(on_cluster({"run", "wordcount", "text", "-q"}).exit_code, 0);
}

TEST_F(SickWorkers, AreHelpedWhenAChunkHangs) {
  start_coordinator();
  for (const char* name : {"a", "b"}) start_worker(name, {"--sandbox-write", path("")});
  std::string lines;
  std::string expected = "BOOM\t1\n";
  for (int i = 0; i < 300; ++i) {
    lines += fmt::format("line {:04}\n", i);
    if (i == 150) lines += "BOOM\n";
    expected += fmt::format("line {:04}\t1\n", i);
  }
  write("lines", lines);
  const Finished there =
      on_cluster({"run", MUSTER_TEST_PLUGINS "/faulty.so:faulty", "lines", "--chunk-size", "200",
                  "--set", "fault=wait_once", "--set", "path=" + path("hung").string(), "-q"});
  ASSERT_EQ(there.exit_code, 0) << there.text();
  EXPECT_EQ(there.out, expected);
  EXPECT_TRUE(std::filesystem::exists(path("hung.BOOM"))) << "nothing has hung";
  const std::string log = on_cluster({"logs", "1"}).out;
  EXPECT_NE(log.find("takes long: worker "), std::string::npos) << log;
  EXPECT_EQ(log.find("failed"), std::string::npos) << log;
  const std::string free = "open          1      0";  // slots and what it holds
  EXPECT_TRUE(eventually([&] {
    const std::string rows = on_cluster({"workers"}).out;
    const auto first = rows.find(free);
    return first != std::string::npos && rows.find(free, first + 1) != std::string::npos;
  })) << "what hung was not killed: "
      << on_cluster({"workers"}).out;
}

}  // namespace
}  // namespace muster::testing
