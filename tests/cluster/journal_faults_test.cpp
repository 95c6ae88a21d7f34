// Coordinators whose journal is damaged, or cannot be written: they say so and do not start, and
// once it is as it was, all that they had acknowledged is there.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <sys/mount.h>

#include "cluster_jobs.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;

class JournalFaults : public ClusterJobs {
 protected:
  static constexpr int jobs = 3;

  ~JournalFaults() override {
    if (is_mounted_) ::umount2(path("disk").c_str(), MNT_DETACH);
  }

  std::vector<std::string> task(const std::string& output) const {
    return {"wordcount", "text", "--chunk-size", "4", "-o", output};
  }
  /// Jobs are acknowledged, none can run, and the coordinator is killed.
  void leave_jobs(const std::string& state) {
    write("text", "a b\nb c\nc d\n");
    start_coordinator({"--state", state});
    for (int i = 1; i <= jobs; ++i)
      ASSERT_EQ(submit(task("out" + std::to_string(i))), std::to_string(i));
    kill(coordinator_slot(), SIGKILL);
  }
  void expect_refused(const std::string& state, const std::string& text) {
    const Finished end =
        run(command("muster-coordinator", {"--bind", "tcp://127.0.0.1:*", "--state", state}));
    EXPECT_EQ(end.exit_code, 1) << end.text();
    EXPECT_EQ(end.err.find("error: the journal"), 0U) << end.text();
    EXPECT_NE(end.err.find(state + "/journal.db"), std::string::npos) << end.text();
    EXPECT_NE(end.err.find(text), std::string::npos) << end.text();
    EXPECT_NE(end.err.find("hint: "), std::string::npos) << end.text();
    EXPECT_EQ(end.err.find("listening at"), std::string::npos) << end.text();
    ++faults;
  }
  /// All jobs are there, and are done with the same bytes as on this machine alone.
  void expect_all_jobs(const std::string& state) {
    std::vector<std::string> local = task("here");
    local.insert(local.begin(), "run");
    ASSERT_EQ(muster(local).exit_code, 0);
    start_coordinator({"--state", state});
    EXPECT_EQ(count(on_cluster({"jobs"}).out, "wordcount"), jobs);
    start_worker("a");
    for (int i = 1; i <= jobs; ++i) {
      expect_success(std::to_string(i));
      const std::string out = "out" + std::to_string(i);
      for (const auto& each : fs::directory_iterator(path("here")))
        EXPECT_TRUE(read(each.path()) == read(path(out) / each.path().filename())) << out;
    }
  }
  bool mount_disk(unsigned long flags) {
    fs::create_directory(path("disk"));
    const int mounted = ::mount("tmpfs", path("disk").c_str(), "tmpfs", flags, "size=2M");
    is_mounted_ = is_mounted_ || mounted == 0;
    return mounted == 0;
  }

 private:
  bool is_mounted_ = false;
};

TEST_F(JournalFaults, ThatAreFoundAreRefusedAndAllIsThereWhenTheyAreMended) {
  leave_jobs("state");
  fs::copy(path("state"), path("good"), fs::copy_options::recursive);
  const fs::path journal = path("state/journal.db");
  const fs::path wal = path("state/journal.db-wal");
  const std::vector<std::pair<std::string, std::function<void()>>> damages = {
      {"what was written last is missing", [&] { fs::resize_file(wal, fs::file_size(wal) / 2); }},
      {"what was written last is missing", [&] { fs::resize_file(wal, 0); }},
      {"", [&] { fs::remove(wal); }},
      {"it is missing", [&] { fs::remove(journal); }},
      {"it is empty", [&] { fs::resize_file(journal, 0); }},
      {"is not a file",
       [&] {
         fs::remove(journal);
         fs::create_directory(journal);
       }},
      {"", [&] { std::ofstream(journal) << std::string(20'000, 'x'); }},
      {"what was written last is missing",
       [&] {
         std::fstream out(wal, std::ios::in | std::ios::out | std::ios::binary);
         out.seekp(static_cast<std::streamoff>(fs::file_size(wal) / 2));
         out << "xxxx";
       }},
      {"journal.db-mark", [&] { std::ofstream(path("state/journal.db-mark")) << "rubbish"; }},
  };
  for (const auto& [text, damage] : damages) {
    fs::remove_all(path("state"));
    fs::copy(path("good"), path("state"), fs::copy_options::recursive);
    damage();
    expect_refused("state", text);
  }
  EXPECT_EQ(faults, 9);
  fs::remove_all(path("state"));
  fs::copy(path("good"), path("state"), fs::copy_options::recursive);
  std::ofstream(wal, std::ios::app) << std::string(3000, '\x5a');  // what was not acknowledged
  expect_all_jobs("state");
}

TEST_F(JournalFaults, ADiskThatCannotBeWrittenIsNamed) {
  if (!mount_disk(0)) GTEST_SKIP() << "no file system can be mounted here";
  leave_jobs("disk");
  ASSERT_EQ(::mount("tmpfs", path("disk").c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=2M"), 0);
  expect_refused("disk", "Read-only file system");
  ASSERT_TRUE(mount_disk(MS_REMOUNT));
  expect_all_jobs("disk");
}

TEST_F(JournalFaults, ADiskThatIsFullIsNamed) {
  if (!mount_disk(0)) GTEST_SKIP() << "no file system can be mounted here";
  leave_jobs("disk");
  std::ofstream(path("disk/ballast")) << std::string(4 << 20, 'x');
  ASSERT_EQ(fs::space(path("disk")).available, 0U);
  expect_refused("disk", "full");
  fs::remove(path("disk/ballast"));
  expect_all_jobs("disk");
}

}  // namespace
}  // namespace muster::testing
