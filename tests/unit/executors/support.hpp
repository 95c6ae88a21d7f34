#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/types.h>

#include <muster/base/clock.hpp>
#include <muster/executors/process_pool.hpp>

namespace muster::test {

/// Memory that this process and all task processes share, so that tasks can be counted and held up.
/// Mapped before muster::init().
struct Shared {
  std::atomic<std::uint64_t> runs;  // entries of counting tasks
  std::atomic<std::uint64_t> runs_by_number[256];
  std::atomic<std::uint64_t> gate;           // tasks at the gate go on while it is not 0
  std::atomic<std::uint64_t> doomed_births;  // so many forks die before they do anything
  std::atomic<std::uint64_t> at_gate;        // how many have arrived there
};

Shared& shared();
void map_shared();

/// Waits until the condition holds; false if that takes longer than any machine should.
template <class Condition>
bool eventually(Condition condition) {
  const TimePoint deadline = Clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(100));  // bounded poll
  }
  return true;
}

std::vector<pid_t> children_of(pid_t parent);
std::vector<pid_t> descendants_of(pid_t ancestor);
std::size_t count_fds(pid_t pid);
bool is_gone(pid_t pid);  ///< ended; a zombie that nobody reaps counts as ended

/// Checks after every test that no process and no descriptor was left behind, here or in the
/// zygote.
class PoolTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

 private:
  pid_t zygote_ = 0;
  std::size_t fds_ = 0;
};

/// Runs this program again as `role` (see roles.cpp); what it prints is read from `output`.
struct RoleResult {
  int status = -1;  // as wait(2) gives it
  std::string out;
  std::string err;
};
RoleResult run_role(const std::string& role);
pid_t start_role(const std::string& role, int out, int err);
int play_role(const std::string& role);

// Tasks.
Bytes echo(TaskContext& context, std::string_view argument);
Bytes own_pid(TaskContext& context, std::string_view argument);
/// Counts itself under the number in its argument.
Bytes count(TaskContext& context, std::string_view argument);
/// Counts itself, then waits at the gate.
Bytes wait_at_gate(TaskContext& context, std::string_view argument);
/// Sets position 7 and progress 3, then spins for ever.
Bytes spin(TaskContext& context, std::string_view argument);

/// Waits until the task has really been entered (and has said so, as spin does).
bool has_started(const ProcessPoolExecutor& pool, const Future<Bytes>& task);

}  // namespace muster::test
