// The check that every test goes through notices a leak of each kind.
#include "support/leak_check.hpp"

#include <atomic>
#include <csignal>
#include <functional>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/executors/process_pool.hpp>

#include "support/shared_memory.hpp"
#include "tasks.hpp"

namespace muster::test {
namespace {

using namespace std::chrono_literals;

class LeakCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    reset_shared();
    check_.OnTestStart(test());
  }
  void end() { check_.OnTestEnd(test()); }

 private:
  static const testing::TestInfo& test() {
    return *testing::UnitTest::GetInstance()->current_test_info();
  }
  LeakCheck check_{50ms};
};

TEST_F(LeakCheckTest, IsContentWithACleanTest) {
  { ProcessPoolExecutor pool({.max_workers = 1}); }
  std::thread([] {}).join();
  end();
}

TEST_F(LeakCheckTest, NoticesADescriptor) {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_NONFATAL_FAILURE(end(), "descriptors: ");
  ::close(fd);
}

TEST_F(LeakCheckTest, NoticesAThread) {
  std::atomic<bool> stop = false;
  std::thread thread([&] { stop.wait(false); });
  EXPECT_NONFATAL_FAILURE(end(), "threads: ");
  stop = true;
  stop.notify_all();
  thread.join();
}

TEST_F(LeakCheckTest, NoticesAProcess) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::pause();
    ::_exit(0);
  }
  EXPECT_NONFATAL_FAILURE(end(), "child processes: ");
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST_F(LeakCheckTest, NoticesSharedMemory) {
  const int fd = ::memfd_create("muster-ring", MFD_CLOEXEC);
  ASSERT_EQ(::ftruncate(fd, 4096), 0);
  void* memory = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ::close(fd);
  EXPECT_NONFATAL_FAILURE(end(), "shared memory: ");
  ::munmap(memory, 4096);
}

TEST_F(LeakCheckTest, NoticesAPoolThatIsStillThere) {
  std::optional<ProcessPoolExecutor> pool;
  pool.emplace(ProcessPoolOptions{.max_workers = 1});
  EXPECT_EQ(pool->submit(conformance::twice, 1).result(), 2);
  EXPECT_NONFATAL_FAILURE(end(), "task processes: ");
  EXPECT_NONFATAL_FAILURE(end(), "shared memory: ");
  EXPECT_NONFATAL_FAILURE(end(), "descriptors of the zygote: ");
  pool.reset();
  end();
}

}  // namespace
}  // namespace muster::test
