#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/base/temp_dir.hpp>
#include <muster/executors/process_pool.hpp>

#include "support.hpp"
#include "support/process_pools.hpp"

// How long task processes live, what runs first in them, and what they may use.

namespace muster::test {
namespace {

using namespace std::chrono_literals;

pid_t pid_of_task() { return ::getpid(); }
void fails() { throw std::runtime_error("as it should"); }

int initialized_with = 0;
int initial_value() { return initialized_with; }

std::uint64_t resident() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t pages = 0;
  statm >> size >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void leak(std::size_t bytes) {
  static std::vector<char> kept;
  kept.assign(bytes, 'x');
}

class ChildLifeTest : public PoolTest {};

TEST_F(ChildLifeTest, EndsAfterItsTasks) {  // 90
  ProcessPoolExecutor pool({.max_workers = 1, .max_tasks_per_child = 3});
  std::vector<pid_t> pids;
  for (int i = 0; i < 7; ++i) pids.push_back(pool.submit(pid_of_task).result(60s));
  EXPECT_EQ(std::set<pid_t>(pids.begin(), pids.begin() + 3).size(), 1U);
  EXPECT_EQ(std::set<pid_t>(pids.begin() + 3, pids.begin() + 6).size(), 1U);
  EXPECT_EQ((std::set<pid_t>(pids.begin(), pids.end()).size()), 3U);
}

TEST_F(ChildLifeTest, ABacklogOutlastsManyProcesses) {  // 88, 92
  for (const unsigned workers : {1U, 2U}) {
    ProcessPoolExecutor pool({.max_workers = workers, .max_tasks_per_child = 2});
    std::vector<Future<pid_t>> futures;
    for (int i = 0; i < 100; ++i) futures.push_back(pool.submit(pid_of_task));
    std::multiset<pid_t> pids;
    for (const auto& each : futures) pids.insert(each.result(60s));
    EXPECT_EQ(pids.size(), 100U);
    for (const pid_t pid : pids) EXPECT_LE(pids.count(pid), 2U);
    EXPECT_LE(pool.worker_pids().size(), workers);
  }
}

TEST_F(ChildLifeTest, EndsAndIsReplacedAfterShutdownToo) {  // 78, 81, 93, 97
  for (int round = 0; round < 10; ++round) {
    std::vector<Future<pid_t>> futures;
    Future<void> failing;
    {
      ProcessPoolExecutor pool({.max_workers = 2, .max_tasks_per_child = 1});
      for (int i = 0; i < 5; ++i) futures.push_back(pool.submit(pid_of_task));
      failing = pool.submit(fails);
      pool.shutdown(false);
      EXPECT_THROW(pool.submit(fails), Error);
    }
    std::set<pid_t> pids;
    for (const auto& each : futures) pids.insert(each.result(0s));
    EXPECT_EQ(pids.size(), 5U);
    EXPECT_THROW(failing.result(0s), std::runtime_error);
  }
}

TEST_F(ChildLifeTest, AnOldProcessGetsNoMoreTasks) {
  ProcessPoolExecutor pool({.max_workers = 1, .max_child_age = Duration(1)});
  std::set<pid_t> pids;
  for (int i = 0; i < 10; ++i) pids.insert(pool.submit(pid_of_task).result(60s));
  EXPECT_EQ(pids.size(), 10U);
}

TEST_F(ChildLifeTest, ALargeProcessGetsNoMoreTasks) {
  constexpr std::uint64_t more = std::uint64_t{100} << 20U;
  std::uint64_t usual = 0;
  {
    ProcessPoolExecutor pool({.max_workers = 1});
    usual = pool.submit(resident).result();
  }
  ProcessPoolExecutor pool({.max_workers = 1, .max_resident_bytes = usual + more});
  const pid_t first = pool.submit(pid_of_task).result();
  EXPECT_EQ(pool.submit(pid_of_task).result(), first) << "small enough";
  pool.submit(leak, 2 * more).result();
  // It measures itself after it has answered, so one more task may still get there.
  EXPECT_TRUE(eventually([&] { return pool.submit(pid_of_task).result(60s) != first; }));
  EXPECT_TRUE(eventually([&] { return is_gone(first); }));
}

TEST_F(ChildLifeTest, TheInitializerRunsFirstInEveryProcess) {  // 65
  ProcessPoolOptions options = quiet(2);
  options.max_tasks_per_child = 5;
  int value = 77;
  options.initializer = [value] {
    ++shared().runs;
    initialized_with = value;
  };
  std::vector<Future<int>> futures;
  {
    ProcessPoolExecutor pool(options);
    for (int i = 0; i < 50; ++i) futures.push_back(pool.submit(initial_value));
  }
  for (const auto& each : futures) EXPECT_EQ(each.result(0s), 77);
  EXPECT_EQ(initialized_with, 0) << "not here";
  EXPECT_GE(shared().runs.load(), 10U) << "once in each process of five tasks";
}

void throwing_initializer() {
  ++shared().runs;
  throw std::runtime_error("no licence");
}

TEST_F(ChildLifeTest, AFailingInitializerBreaksThePool) {  // 66, 83
  for (int round = 0; round < 10; ++round) {
    ProcessPoolOptions options = quiet(2);
    options.initializer = &throwing_initializer;
    testing::internal::CaptureStderr();
    {
      ProcessPoolExecutor pool(options);
      std::vector<Future<pid_t>> futures;
      try {
        for (int i = 0; i < 20; ++i) futures.push_back(pool.submit(pid_of_task));
      } catch (const BrokenExecutor&) {
        // It may have broken meanwhile.
      }
      ASSERT_FALSE(futures.empty());
      for (const auto& each : futures) EXPECT_THROW(each.result(60s), BrokenExecutor);
      EXPECT_THROW(pool.submit(pid_of_task), BrokenExecutor);
    }
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find("no licence"), std::string::npos) << log;
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  }
}

void crashing_initializer() {
  ++shared().runs;
  ::raise(SIGSEGV);
}

TEST_F(ChildLifeTest, ACrashingInitializerBreaksThePool) {  // 96
  for (const unsigned workers : {1U, 2U}) {
    shared().runs = 0;
    ProcessPoolOptions options = quiet(workers);
    options.initializer = &crashing_initializer;
    ProcessPoolExecutor pool(options);
    std::vector<Future<pid_t>> futures;
    try {
      for (int i = 0; i < 10; ++i) futures.push_back(pool.submit(pid_of_task));
      futures[1].cancel();
    } catch (const BrokenExecutor&) {
      // It may have broken meanwhile.
    }
    ASSERT_FALSE(futures.empty());
    for (const auto& each : futures) {
      ASSERT_TRUE(each.wait(60s));
      if (!each.cancelled()) {
        EXPECT_THROW(each.result(), BrokenExecutor);
      }
    }
    EXPECT_LE(shared().runs.load(), 2 + workers) << "no endless respawn";
  }
}

#if !defined(MUSTER_SANITIZED)  // sanitizers need terabytes of address space
TEST_F(ChildLifeTest, OutOfAddressSpaceATaskSeesBadAlloc) {
  ProcessPoolExecutor pool(
      {.max_workers = 1, .limits = {.address_space_bytes = std::uint64_t{1} << 30U}});
  const pid_t pid = pool.submit(pid_of_task).result();
  const auto task = pool.submit(leak, std::size_t{2} << 30U);
  try {
    task.result(60s);
    ADD_FAILURE() << "no error";
  } catch (const std::bad_alloc& error) {
    ASSERT_NE(remote_facts(error), nullptr);
    EXPECT_EQ(remote_facts(error)->pid(), pid);
  }
  EXPECT_EQ(pool.submit(pid_of_task).result(60s), pid) << "it lives on";
}
#endif

void burn_cpu() {
  for (volatile bool forever = true; forever;) {
  }
}

TEST_F(ChildLifeTest, OutOfCpuTimeATaskDiesOfSigxcpu) {  // 86
  ProcessPoolOptions options = quiet(1);
  options.limits.cpu_time_s = 1;
  ProcessPoolExecutor pool(options);
  const auto task = pool.submit(burn_cpu);
  const WorkerDeath death = death_of(task);
  EXPECT_EQ(death.signal, SIGXCPU);
  EXPECT_GE(death.user_time_us + death.system_time_us, 500'000U);
}

int open_as_many_as_possible() {
  int count = 0;
  std::vector<int> fds;
  for (int fd = 0; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0; ++count) {
    fds.push_back(fd);
  }
  for (const int fd : fds) ::close(fd);
  return count;
}

TEST_F(ChildLifeTest, OpenFilesAreLimited) {
  ProcessPoolExecutor pool({.max_workers = 1, .limits = {.open_files = 20}});
  EXPECT_EQ(pool.submit(open_as_many_as_possible).result(60s), 20 - 5);
}

void write_file(std::string path, std::size_t bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const std::string text(bytes, 'x');
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t size = ::write(fd, text.data() + done, bytes - done);
    if (size < 0) throw std::runtime_error("write");
    done += static_cast<std::size_t>(size);
  }
  ::close(fd);
}

TEST_F(ChildLifeTest, FilesAreLimited) {
  const TempDir directory(default_temp_parent());
  ProcessPoolOptions options = quiet(1);
  options.limits.file_bytes = 4096;
  ProcessPoolExecutor pool(options);
  const std::string path = directory.path() / "file";
  pool.submit(write_file, path, 4096U).result(60s);
  const auto task = pool.submit(write_file, path, 4097U);
  EXPECT_EQ(death_of(task).signal, SIGXFSZ);
}

}  // namespace
}  // namespace muster::test
