#include <gtest/gtest.h>

#include <muster/executors/init.hpp>

#include "support/shared_memory.hpp"
#include "support/zmq_under_tsan.hpp"

int main(int argc, char** argv) {
  muster::test::map_shared();
  muster::init();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
