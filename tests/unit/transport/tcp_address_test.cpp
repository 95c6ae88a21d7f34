#include <gtest/gtest.h>

#include <muster/transport/tcp_address.hpp>
#include <muster/transport/zmq_dialer.hpp>

namespace muster::transport {
namespace {

// No name at all, which resolvers know without asking anybody.
constexpr const char* nowhere = "tcp://no..host:7600";

TEST(TcpAddressTest, HasAHostAndAPort) {
  const auto named = parse_tcp_address("tcp://head.example:7600");
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->host, "head.example");
  EXPECT_EQ(named->port, "7600");
  const auto numbered = parse_tcp_address("tcp://[fe80::1]:*");
  ASSERT_TRUE(numbered.has_value());
  EXPECT_EQ(numbered->host, "fe80::1");
  EXPECT_EQ(numbered->port, "*");
  for (const char* odd : {"", "head:7600", "ipc:///tmp/x", "tcp://head", "tcp://:7600"})
    EXPECT_FALSE(parse_tcp_address(odd).has_value()) << odd;
}

TEST(TcpAddressTest, OfThisMachineAloneIsToldApart) {
  for (const char* here : {"tcp://127.0.0.1:1", "tcp://127.9.9.9:*", "tcp://localhost:1",
                           "tcp://[::1]:7600", "ipc:///tmp/x", "inproc://x"})
    EXPECT_TRUE(is_loopback(here)) << here;
  for (const char* open : {"tcp://0.0.0.0:1", "tcp://*:1", "tcp://[::]:1", "tcp://10.0.0.1:1",
                           "tcp://localhost.example:1", "tcp://128.0.0.1:1", "tcp://127"})
    EXPECT_FALSE(is_loopback(open)) << open;
}

TEST(TcpAddressTest, SaysWhichHostCannotBeFound) {
  EXPECT_EQ(host_trouble("tcp://127.0.0.1:7600"), "");
  EXPECT_EQ(host_trouble("tcp://[::1]:7600"), "");
  EXPECT_EQ(host_trouble("ipc:///tmp/x"), "");
  EXPECT_NE(host_trouble(nowhere).find("cannot find the host 'no..host'"), std::string::npos);
}

// ZeroMQ itself would wait for ever, and say nothing.
TEST(TcpAddressTest, OfNoHostIsTriedAgainAndSaidEachTime) {
  ZmqContext context;
  ZmqDialer dialer(context, nowhere);
  for (int i = 0; i < 3; ++i) {
    dialer.connect();
    EXPECT_EQ(dialer.state(), Dialer::State::lost);
    EXPECT_NE(dialer.trouble().find("cannot find the host"), std::string::npos);
    EXPECT_NE(dialer.hint(), "");
    dialer.close(Duration::zero());
  }
}

}  // namespace
}  // namespace muster::transport
