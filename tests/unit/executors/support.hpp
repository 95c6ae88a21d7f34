#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/types.h>

#include <muster/executors/process_pool.hpp>

#include "support/proc.hpp"
#include "support/role.hpp"
#include "support/shared_memory.hpp"

namespace muster::test {

/// Each test begins with a closed gate and counts of 0. LeakCheck sees what it leaves behind.
class PoolTest : public testing::Test {
 protected:
  void SetUp() override { reset_shared(); }
};

/// What this program does when it is run as `role`; see roles.cpp.
int play_role(const std::string& role);
/// The role of memory_kill_test.cpp.
int killed_for_memory();

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
