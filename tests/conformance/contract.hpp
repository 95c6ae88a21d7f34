#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/executors/executor.hpp>

#include "support/shared_memory.hpp"

namespace muster::conformance {

using test::eventually;
using test::reset_shared;
using test::shared;

/// A kind of executor that the contract is run on. Another one joins by a line in kinds().
struct Kind {
  std::string name;
  std::unique_ptr<Executor> (*make)(unsigned workers) = nullptr;
  bool kills_running = false;   ///< cancel() ends a task that does not look
  bool takes_anything = false;  ///< callables and values that can neither be sent nor copied
  bool is_decorator = false;    ///< of one of the others, which has tests of its own
  bool is_cluster = false;      ///< its workers are not its own, and ZeroMQ is between
};
std::span<const Kind> kinds();
/// Those that send their tasks to other processes, decorators aside.
std::span<const Kind> sending_kinds();

/// A line of the checklist.
struct Item {
  int number;
  const char* text;
};
std::span<const Item> checklist();

/// Why an item does not apply to a kind of executor, or where else it is tested.
struct Excuse {
  int first;
  int last;
  const char* kind;  ///< "decorators" for all that are
  const char* reason;
};
std::span<const Excuse> excuses();

/// Which items were covered on which kind of executor, by tests that passed.
class Coverage {
 public:
  static Coverage& instance();

  void add(int number, const std::string& kind);

  /// The table of all items. With `is_whole` (all tests ran) what is neither covered nor excused is
  /// an error, as is an excuse for what is covered: then it returns false.
  bool report(bool is_whole) const;

 private:
  std::vector<std::pair<int, std::string>> covered_;
};

/// A test of the contract on one kind of executor. It says which items it covers; they count if it
/// passes.
class ContractTest : public testing::Test {
 protected:
  explicit ContractTest(std::string kind) : kind_(std::move(kind)) {}

  void SetUp() override { reset_shared(); }
  void TearDown() override;
  void covers(std::initializer_list<int> items) { items_.insert(items_.end(), items); }

 private:
  std::string kind_;
  std::vector<int> items_;
};

/// The same test on every kind.
class ExecutorContract : public ContractTest, public testing::WithParamInterface<Kind> {
 protected:
  ExecutorContract() : ContractTest(GetParam().name) {}
  ~ExecutorContract() override { shared().gate = 1; }  // so that the executor's end is one

  const Kind& kind() const { return GetParam(); }
  static std::unique_ptr<Executor> make(unsigned workers) { return GetParam().make(workers); }

  std::unique_ptr<Executor> executor = make(2);
};

/// What only threads have, and only processes.
class ThreadsContract : public ContractTest {
 protected:
  ThreadsContract() : ContractTest("threads") {}
};
class ProcessesContract : public ContractTest {
 protected:
  ProcessesContract() : ContractTest("processes") {}
};

class ClusterContract : public ContractTest {
 protected:
  ClusterContract() : ContractTest("cluster") {}
};

/// Instantiates a suite derived from ExecutorContract, in its file.
#define MUSTER_CONTRACT_ON_ALL_KINDS(Suite)                          \
  INSTANTIATE_TEST_SUITE_P(                                          \
      All, Suite, testing::ValuesIn(kinds().begin(), kinds().end()), \
      [](const testing::TestParamInfo<Kind>& made) { return made.param.name; })

/// The same on those kinds that send their tasks to other processes.
#define MUSTER_CONTRACT_ON_SENDING_KINDS(Suite)                                      \
  INSTANTIATE_TEST_SUITE_P(                                                          \
      All, Suite, testing::ValuesIn(sending_kinds().begin(), sending_kinds().end()), \
      [](const testing::TestParamInfo<Kind>& made) { return made.param.name; })

/// What this program does when it is run as `role`: roles.cpp.
int play_role(const std::string& role);

}  // namespace muster::conformance
