#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/cluster/worker/memory_watch.hpp>

namespace muster::cluster {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t mib = std::uint64_t{1} << 20U;
constexpr TimePoint now{1000s};

/// Memory of this process that is really there.
class Memory {
 public:
  explicit Memory(std::size_t bytes)
      : bytes_(bytes),
        begin_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    touch();
  }
  ~Memory() { ::munmap(begin_, bytes_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  void touch() const {
    for (std::size_t i = 0; i < bytes_; i += 4096) static_cast<volatile char*>(begin_)[i] = 1;
  }

 private:
  std::size_t bytes_;
  void* begin_;
};

/// A child that has done something, and does nothing more until it is killed.
class Child {
 public:
  explicit Child(const std::function<void()>& work) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      work();
      if (::write(ready[1], "", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  void end() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

std::unique_ptr<Child> child_with(std::size_t bytes) {
  return std::make_unique<Child>([bytes] {
    static const auto* const kept = new Memory(bytes);
    static_cast<void>(kept);
  });
}

TEST(MemoryOfTree, CountsWhatIsThere) {
  const auto none = child_with(mib);
  const auto some = child_with(64 * mib);
  const std::uint64_t more = memory_of_tree(some->pid()) - memory_of_tree(none->pid());
  EXPECT_GE(more, 60 * mib);
  EXPECT_LE(more, 70 * mib);
}

TEST(MemoryOfTree, CountsWhatWasStarted) {
  const auto none = child_with(mib);
  const Child parent([] {
    static const auto* const child = child_with(64 * mib).release();
    static_cast<void>(child);
  });
  EXPECT_GE(memory_of_tree(parent.pid()), memory_of_tree(none->pid()) + 60 * mib);
}

TEST(MemoryOfTree, CountsWhatForksHaveInCommonOnce) {
  const auto before = child_with(mib);
  const std::uint64_t own = memory_of_tree(before->pid());
  const Memory common(96 * mib);
  const Child first([] {});
  const Child second([] {});
  const std::uint64_t both = memory_of_tree(first.pid()) + memory_of_tree(second.pid());
  EXPECT_LE(both, 2 * own + 70 * mib) << "two thirds: the last third is ours";
  EXPECT_GE(both, 50 * mib);
  const Child writer([&] { common.touch(); });
  EXPECT_GE(memory_of_tree(writer.pid()), 90 * mib) << "it has a copy of its own";
}

TEST(MemoryOfTree, IsNothingOfWhatIsGone) {
  auto child = child_with(mib);
  const pid_t pid = child->pid();
  child->end();
  EXPECT_EQ(memory_of_tree(pid), 0U);
}

TEST(MemoryWatch, FindsTheLargestWhereAllTogetherHaveTooMuch) {
  const auto small = child_with(10 * mib);
  const auto large = child_with(80 * mib);
  const auto middle = child_with(40 * mib);
  const std::vector<pid_t> all{small->pid(), large->pid(), middle->pid()};
  std::uint64_t sum = 0;
  for (const pid_t each : all) sum += memory_of_tree(each);
  EXPECT_FALSE(MemoryWatch(sum + 20 * mib).look(now, all));
  MemoryWatch watch(sum - 10 * mib);
  const auto found = watch.look(now, all);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->largest, large->pid());
  EXPECT_GE(found->largest_bytes, 75 * mib);
  EXPECT_NEAR(static_cast<double>(found->bytes), static_cast<double>(sum), 5.0 * mib);
}

TEST(MemoryWatch, WaitsUntilWhatItFoundIsGone) {
  const auto large = child_with(80 * mib);
  const auto middle = child_with(40 * mib);
  MemoryWatch watch(mib);
  const auto first = watch.look(now, {large->pid(), middle->pid()});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->largest, large->pid());
  EXPECT_FALSE(watch.look(now + 1s, {large->pid(), middle->pid()})) << "it is about to end";
  const auto again = watch.look(now + 6s, {large->pid(), middle->pid()});
  ASSERT_TRUE(again) << "it did not";
  EXPECT_EQ(again->largest, large->pid());
  const auto next = watch.look(now + 7s, {middle->pid()});
  ASSERT_TRUE(next) << "it has";
  EXPECT_EQ(next->largest, middle->pid());
}

TEST(MemoryWatch, FindsNothingWhereThereIsNothing) {
  MemoryWatch watch(1);
  EXPECT_FALSE(watch.look(now, {}));
}

}  // namespace
}  // namespace muster::cluster
