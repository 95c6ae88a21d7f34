#include <string>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/launch/host_list.hpp>

namespace muster::launch {
namespace {

using Hosts = std::vector<HostShare>;

TEST(HostList, NamesAndCounts) {
  EXPECT_EQ(parse_hosts("a"), (Hosts{{"a", 1}}));
  EXPECT_EQ(parse_hosts("a,b*4, user@c.example ,a*2,"),
            (Hosts{{"a", 3}, {"b", 4}, {"user@c.example", 1}}));
  EXPECT_EQ(total_count(parse_hosts("a,b*4")), 5U);
}

TEST(HostList, Files) {
  EXPECT_EQ(parse_hostfile("# mine\nnode1\n\n  node2*8 # large\r\nnode3,node4\nnode5", "f"),
            (Hosts{{"node1", 1}, {"node2", 8}, {"node3", 1}, {"node4", 1}, {"node5", 1}}));
  EXPECT_THROW(parse_hostfile("# nobody\n", "f"), Error);
}

TEST(HostList, WhatIsNoHostIsNamed) {
  for (const char* each : {"-oProxyCommand=x", "a;b", "a*", "a*0", "a*x", "a*-1", "a*99999999",
                           "*3", "a$b", "a*2*2"}) {
    try {
      parse_hosts(each);
      ADD_FAILURE() << each;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_NE(std::string(error.what()).find(each), std::string::npos) << error.what();
      EXPECT_NE(error.hint().find("node2*4"), std::string::npos);
    }
  }
  EXPECT_THROW(parse_hosts(""), Error);
  EXPECT_THROW(parse_hosts(" , "), Error);
}

}  // namespace
}  // namespace muster::launch
