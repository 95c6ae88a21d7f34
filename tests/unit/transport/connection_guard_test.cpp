#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/transport/zmq_listener.hpp>

#include "support/raw_peer.hpp"
#include "support/shared_memory.hpp"

namespace muster::transport {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::RawPeer;

/// Peers without ZeroMQ, so that each is one connection and no more.
class ConnectionGuardTest : public testing::Test {
 protected:
  void listen(ConnectionLimits limits) {
    limits.log = [this](const std::string& line) {
      const std::lock_guard lock(mutex_);
      log_ += line + "\n";
    };
    listener.emplace(context, "tcp://127.0.0.1:*", std::nullopt, limits);
  }
  std::unique_ptr<RawPeer> connect() const {
    auto out = std::make_unique<RawPeer>(listener->address());
    EXPECT_TRUE(out->shake_hands());
    return out;
  }
  bool arrives(RawPeer& peer, std::size_t bytes) {
    return peer.send(Bytes(bytes, 'x')) && eventually([&] { return listener->receive(arrived); }) &&
           arrived.bytes.size() == bytes;
  }
  bool are_open(std::uint64_t count) const {
    return eventually([&] { return listener->connections().open == count; });
  }
  bool is_logged(const std::string& text) {
    return eventually([&] { return log().find(text) != std::string::npos; });
  }
  std::string log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  ZmqContext context;
  Listener::Arrived arrived;

 private:
  std::mutex mutex_;
  std::string log_;

 protected:
  std::optional<ZmqListener> listener;  // which logs until it is gone
};

TEST_F(ConnectionGuardTest, refuses_those_that_are_too_many) {
  listen({.connections_max = 3});
  std::vector<std::unique_ptr<RawPeer>> peers;
  for (int i = 0; i < 3; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(arrives(*peers.back(), 1));
  }
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(RawPeer(listener->address()).is_closed_within(20s));
  EXPECT_TRUE(are_open(3));
  EXPECT_EQ(listener->connections(), (ConnectionCounters{.open = 3, .accepted = 8, .refused = 5}));
  EXPECT_TRUE(is_logged("there are 3 connections, as many as may be"));
  EXPECT_EQ(log().find('\n'), log().size() - 1) << "one line: " << log();
  peers.pop_back();
  EXPECT_TRUE(are_open(2));
  EXPECT_TRUE(arrives(*connect(), 1));
  for (const auto& each : peers) EXPECT_TRUE(arrives(*each, 1));
}

TEST_F(ConnectionGuardTest, puts_out_who_says_nothing) {
  listen({.first_message_within = 2s});
  const auto silent = connect();
  const auto talker = connect();
  ASSERT_TRUE(arrives(*talker, 1));
  EXPECT_TRUE(silent->is_closed_within(20s));
  EXPECT_TRUE(are_open(1));
  EXPECT_EQ(listener->connections(), (ConnectionCounters{.open = 1, .accepted = 2, .silent = 1}));
  EXPECT_TRUE(arrives(*talker, 1));
  EXPECT_TRUE(is_logged("1 that said nothing"));
}

TEST_F(ConnectionGuardTest, puts_out_whose_message_has_no_end) {
  listen({.unfinished_bytes_max = 4U << 20U});
  const std::string part = RawPeer::framed(std::string(1U << 20U, 'x'), true);
  const auto peer = connect();
  int parts = 0;
  // Slower than the guard looks, so that it is cut where it is to be.
  while (parts < 100 && !peer->is_closed_within(100ms) && peer->write(part)) ++parts;
  EXPECT_GE(parts, 4);
  EXPECT_LE(parts, 20);
  EXPECT_TRUE(are_open(0));
  EXPECT_EQ(listener->connections(), (ConnectionCounters{.accepted = 1, .endless = 1}));
  EXPECT_FALSE(listener->receive(arrived));
}

TEST_F(ConnectionGuardTest, lets_everybody_say_much) {
  listen({.unfinished_bytes_max = 4U << 20U});
  const auto talker = connect();
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(arrives(*talker, 1U << 20U));
    listener->wait(Clock::now() + 10ms);  // over several looks of the guard
  }
  EXPECT_EQ(listener->connections(), (ConnectionCounters{.open = 1, .accepted = 1}));
}

// ZeroMQ counts from what random() says, which is the same in every program that has not seeded it.
TEST_F(ConnectionGuardTest, no_peer_knows_what_the_next_is_called) {
  constexpr std::uint64_t first_unseeded = 0x6b8b4567;
  ::srandom(1);  // as when the program began
  listen({});
  const auto first = connect();
  ASSERT_TRUE(arrives(*first, 1));
  EXPECT_NE(arrived.peer.value, first_unseeded);
}

}  // namespace
}  // namespace muster::transport
