#include <string_view>

#include <gtest/gtest.h>

#include <muster/executors/init.hpp>

#include "support.hpp"
#include "support/leak_check.hpp"

int main(int argc, char** argv) {
  muster::test::map_shared();
  constexpr std::string_view role_flag = "--role=";
  if (argc == 2 && std::string_view(argv[1]).starts_with(role_flag)) {
    return muster::test::play_role(argv[1] + role_flag.size());
  }
  muster::init();
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new muster::test::LeakCheck);
  return RUN_ALL_TESTS();
}
