// Futures in a child of a process with threads: what those held when it was forked stays held.
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/futures/promise.hpp>

namespace muster {
namespace {

// So many that their memory comes from what threads share, and goes back there.
void make_many() { const std::vector<Promise<int>> promises(1000); }

TEST(ForkedChild, MakesFuturesWhateverItsParentsThreadsDo) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([](const std::stop_token& over) {
      while (!over.stop_requested()) make_many();
    });
  }
  std::vector<Promise<int>> made_here(500);
  for (int i = 0; i < 300; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);  // by which a child that hangs is killed
      made_here.clear();
      make_many();
      ::_exit(0);
    }
    ASSERT_GT(child, 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0) << "fork " << i;
  }
}

}  // namespace
}  // namespace muster
