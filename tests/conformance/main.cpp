#include <string_view>

#include <gtest/gtest.h>

#include <muster/executors/init.hpp>

#include "contract.hpp"
#include "support/leak_check.hpp"
#include "support/local_cluster.hpp"
#include "support/zmq_under_tsan.hpp"

// A forked child makes a pool of its own (item 62): ThreadSanitizer would end it at its first
// thread.
extern "C" const char* __tsan_default_options();  // NOLINT: the name is ThreadSanitizer's
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }  // NOLINT

int main(int argc, char** argv) {
  muster::test::map_shared();
  constexpr std::string_view role_flag = "--role=";
  if (argc == 2 && std::string_view(argv[1]).starts_with(role_flag)) {
    return muster::conformance::play_role(argv[1] + role_flag.size());
  }
  muster::init();
  muster::test::LocalCluster::prepare();
  testing::InitGoogleTest(&argc, argv);
  auto& tests = *testing::UnitTest::GetInstance();
  tests.listeners().Append(new muster::test::LeakCheck);
  const int failed = RUN_ALL_TESTS();
  if (testing::GTEST_FLAG(list_tests) || tests.test_to_run_count() == 0) return failed;
  const bool is_whole = tests.test_to_run_count() == tests.total_test_count();
  return muster::conformance::Coverage::instance().report(is_whole) ? failed : 1;
}
