#include <gtest/gtest.h>

#include <muster/executors/init.hpp>

#include "support/leak_check.hpp"
#include "support/shared_memory.hpp"

int main(int argc, char** argv) {
  muster::test::map_shared();
  muster::init();  // some tests use a process pool
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new muster::test::LeakCheck);
  return RUN_ALL_TESTS();
}
