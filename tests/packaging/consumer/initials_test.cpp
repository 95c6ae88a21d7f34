#include "initials.cpp"

#include <map>

#include <gtest/gtest.h>

#include <muster/plugin_test.hpp>

namespace {

TEST(Initials, CountsFirstBytes) {
  EXPECT_EQ(muster::testing::run_map_reduce<Initials>("an apple\n\nbee\n"),
            (std::map<std::string, std::string>{{"a", "2"}, {"b", "1"}}));
}

}  // namespace
