#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include <muster/base/cpu_count.hpp>
#include <muster/base/memory.hpp>
#include <muster/base/temp_dir.hpp>

namespace muster {
namespace {

namespace fs = std::filesystem;

// A make-believe /proc/self and /sys/fs/cgroup.
class Cgroup : public ::testing::Test {
 protected:
  void groups(const std::string& lines) { put(proc() / "cgroup", lines); }
  void limit(const std::string& file, const std::string& text) { put(root() / file, text); }
  unsigned cpus() const { return cgroup_cpu_quota(proc(), root()); }
  std::uint64_t memory() const { return cgroup_memory_limit(proc(), root()); }

 private:
  fs::path proc() const { return scratch_.path() / "proc"; }
  fs::path root() const { return scratch_.path() / "cgroup"; }
  static void put(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  TempDir scratch_{default_temp_parent()};
};

TEST_F(Cgroup, without_any_files_there_is_no_limit) {
  EXPECT_EQ(cpus(), 0U);
  EXPECT_EQ(memory(), 0U);
}

TEST_F(Cgroup, that_names_a_group_without_files_has_no_limit) {
  groups("0::/user.slice/app\n");
  EXPECT_EQ(cpus(), 0U);
  EXPECT_EQ(memory(), 0U);
}

TEST_F(Cgroup, v2_quota_is_rounded_up) {
  groups("0::/a\n");
  for (const auto& [text, expected] : {std::pair{"200000 100000", 2U},
                                       {"150000 100000", 2U},
                                       {"250000 100000", 3U},
                                       {"1000 100000", 1U},
                                       {"100001 100000", 2U},
                                       {"max 100000", 0U},
                                       {"max", 0U},
                                       {"", 0U},
                                       {"nonsense", 0U},
                                       {"-5 100000", 0U},
                                       {"100000 0", 0U},
                                       {"0 100000", 0U}}) {
    limit("a/cpu.max", text);
    EXPECT_EQ(cpus(), expected) << text;
  }
}

TEST_F(Cgroup, v2_takes_the_lowest_of_all_ancestors) {
  groups("0::/outer/middle/inner\n");
  limit("outer/middle/inner/cpu.max", "max 100000\n");
  limit("outer/middle/cpu.max", "800000 100000\n");
  limit("outer/cpu.max", "300000 100000\n");
  limit("other/cpu.max", "100000 100000\n");
  EXPECT_EQ(cpus(), 3U);
  limit("cpu.max", "200000 100000\n");
  EXPECT_EQ(cpus(), 2U) << "the root counts: a container sees its own group there";
  limit("outer/middle/inner/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpus(), 1U);
}

TEST_F(Cgroup, v1_quota_and_period) {
  groups("12:cpu,cpuacct:/job\n3:memory:/job\n");
  limit("cpu/job/cpu.cfs_quota_us", "-1");
  limit("cpu/job/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cpus(), 0U);
  limit("cpu/job/cpu.cfs_quota_us", "350000");
  EXPECT_EQ(cpus(), 4U);
}

TEST_F(Cgroup, v1_under_the_name_of_its_mount) {
  groups("12:cpu,cpuacct:/job\n");
  limit("cpu,cpuacct/job/cpu.cfs_quota_us", "100000");
  limit("cpu,cpuacct/job/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cpus(), 1U);
}

TEST_F(Cgroup, v1_controllers_that_only_begin_alike_are_others) {
  groups("12:cpuset:/job\n");
  limit("cpuset/job/cpu.cfs_quota_us", "100000");
  limit("cpuset/job/cpu.cfs_period_us", "100000");
  limit("cpu/job/cpu.cfs_quota_us", "100000");
  limit("cpu/job/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cpus(), 0U);
}

TEST_F(Cgroup, both_versions_at_once_give_the_lower_limit) {
  groups("4:cpu:/v1\n0::/v2\nmalformed\n:\n");
  limit("cpu/v1/cpu.cfs_quota_us", "300000");
  limit("cpu/v1/cpu.cfs_period_us", "100000");
  limit("v2/cpu.max", "500000 100000");
  EXPECT_EQ(cpus(), 3U);
}

TEST_F(Cgroup, group_names_may_hold_colons) {
  groups("0::/pod:1:x\n");
  limit("pod:1:x/cpu.max", "200000 100000");
  limit("pod:1:x/memory.max", "4096");
  EXPECT_EQ(cpus(), 2U);
  EXPECT_EQ(memory(), 4096U);
}

TEST_F(Cgroup, v2_memory_of_all_ancestors) {
  groups("0::/outer/inner\n");
  limit("outer/inner/memory.max", "max\n");
  EXPECT_EQ(memory(), 0U);
  limit("outer/memory.max", "1073741824\n");
  EXPECT_EQ(memory(), 1073741824U);
  limit("outer/inner/memory.max", "2147483648\n");
  EXPECT_EQ(memory(), 1073741824U);
}

TEST_F(Cgroup, v1_memory_where_a_number_near_2_to_63_means_none) {
  groups("5:memory:/job\n");
  limit("memory/job/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(memory(), 0U);
  limit("memory/memory.limit_in_bytes", "536870912");
  EXPECT_EQ(memory(), 536870912U);
}

TEST(UsableResources, are_never_none) {
  EXPECT_GE(usable_cpus(), 1U);
  EXPECT_GE(usable_memory(), std::uint64_t{1} << 20U);
}

}  // namespace
}  // namespace muster
