#include <gtest/gtest.h>

#include <muster/executors/init.hpp>

int main(int argc, char** argv) {
  muster::init();  // some tests use a process pool
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
