#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/transport/curve.hpp>
#include <muster/transport/memory_network.hpp>
#include <muster/transport/zmq_dialer.hpp>
#include <muster/transport/zmq_listener.hpp>

#include "support/zmq_under_tsan.hpp"

namespace muster::transport {
namespace {

using namespace std::chrono_literals;
using State = Dialer::State;
using Sent = Listener::Sent;

/// A limit for what takes milliseconds; a test that needs it has failed.
constexpr Duration patience = 20s;

wire::SharedFrame frame_of(std::string bytes) {
  return std::make_shared<const Bytes>(std::move(bytes));
}

/// A way to make listeners and dialers.
class Network {
 public:
  virtual ~Network() = default;
  virtual std::unique_ptr<Listener> listen() = 0;
  virtual std::unique_ptr<Dialer> dial(const Listener& to) = 0;
};

class InMemory final : public Network {
 public:
  std::unique_ptr<Listener> listen() override { return network_.listen(); }
  std::unique_ptr<Dialer> dial(const Listener& /*to*/) override { return network_.dial(); }

 private:
  MemoryNetwork network_;
};

class OverTcp final : public Network {
 public:
  std::unique_ptr<Listener> listen() override {
    return std::make_unique<ZmqListener>(context_, "tcp://127.0.0.1:*");
  }
  std::unique_ptr<Dialer> dial(const Listener& to) override {
    return std::make_unique<ZmqDialer>(context_, to.address());
  }

 private:
  ZmqContext context_;
};

class Encrypted final : public Network {
 public:
  std::unique_ptr<Listener> listen() override {
    ListenerKeys keys{listener_keys_, [this](std::string_view key) {
                        return key == dialer_keys_.public_key ? std::optional("somebody")
                                                              : std::nullopt;
                      }};
    return std::make_unique<ZmqListener>(context_, "tcp://127.0.0.1:*", keys);
  }
  std::unique_ptr<Dialer> dial(const Listener& to) override {
    return std::make_unique<ZmqDialer>(context_, to.address(),
                                       DialerKeys{dialer_keys_, listener_keys_.public_key});
  }

 private:
  const CurveKeyPair listener_keys_ = make_curve_keys();
  const CurveKeyPair dialer_keys_ = make_curve_keys();
  ZmqContext context_;
};

struct Kind {
  const char* name;
  const char* user;  // what the listener knows the dialers as
  std::unique_ptr<Network> (*make)();
};

std::ostream& operator<<(std::ostream& out, const Kind& kind) { return out << kind.name; }

class TransportTest : public testing::TestWithParam<Kind> {
 protected:
  void TearDown() override {
    dialers_.clear();
    listener_.reset();
  }

  Listener& listener() {
    if (!listener_) listener_ = network_->listen();
    return *listener_;
  }

  Dialer& dialer() {
    dialers_.push_back(network_->dial(listener()));
    return *dialers_.back();
  }

  Dialer& connected() {
    Dialer& made = dialer();
    made.connect();
    await_state(made, State::open);
    return made;
  }

  static void await_state(Dialer& dialer, State state) {
    const TimePoint until = Clock::now() + patience;
    while (dialer.state() != state && Clock::now() < until) dialer.wait(until);
    ASSERT_EQ(dialer.state(), state) << dialer.trouble();
  }

  Listener::Arrived next() {
    Listener::Arrived out;
    const TimePoint until = Clock::now() + patience;
    while (!listener().receive(out)) {
      if (Clock::now() >= until) {
        ADD_FAILURE() << "nothing arrived";
        break;
      }
      listener().wait(until);
    }
    return out;
  }

  static Bytes next(Dialer& dialer) {
    ReceivedFrame out;
    const TimePoint until = Clock::now() + patience;
    while (!dialer.receive(out)) {
      if (Clock::now() >= until) {
        ADD_FAILURE() << "nothing arrived";
        break;
      }
      dialer.wait(until);
    }
    return Bytes(out.bytes);
  }

  void end_listener() { listener_.reset(); }

 private:
  std::unique_ptr<Network> network_ = GetParam().make();
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<Dialer>> dialers_;
};

TEST_P(TransportTest, carries_frames_both_ways) {
  Dialer& dialer = connected();
  ASSERT_TRUE(dialer.send(frame_of("up")));
  const Listener::Arrived arrived = next();
  EXPECT_EQ(arrived.bytes, "up");
  EXPECT_EQ(arrived.user, GetParam().user);
  EXPECT_EQ(listener().send(arrived.peer, frame_of("down")), Sent::queued);
  EXPECT_EQ(next(dialer), "down");
}

TEST_P(TransportTest, keeps_order_and_size) {
  Dialer& dialer = connected();
  const std::vector<std::string> sent = {"", "a", std::string(5000, 'b'),
                                         std::string(1 << 20, 'c')};
  for (const std::string& each : sent) ASSERT_TRUE(dialer.send(frame_of(each)));
  wire::PeerId peer;
  for (const std::string& each : sent) {
    const Listener::Arrived arrived = next();
    EXPECT_EQ(arrived.bytes, each);
    peer = arrived.peer;
  }
  for (const std::string& each : sent)
    ASSERT_EQ(listener().send(peer, frame_of(each)), Sent::queued);
  for (const std::string& each : sent) EXPECT_EQ(next(dialer), each);
}

TEST_P(TransportTest, tells_peers_apart) {
  Dialer& first = connected();
  Dialer& second = connected();
  ASSERT_TRUE(first.send(frame_of("1")));
  const auto one = next();
  ASSERT_TRUE(second.send(frame_of("2")));
  const auto two = next();
  EXPECT_NE(one.peer, two.peer);
  listener().send(two.peer, frame_of("to 2"));
  listener().send(one.peer, frame_of("to 1"));
  EXPECT_EQ(next(first), "to 1");
  EXPECT_EQ(next(second), "to 2");
}

TEST_P(TransportTest, a_new_connection_is_another_peer_and_has_nothing_of_the_old_one) {
  Dialer& dialer = connected();
  dialer.send(frame_of("1"));
  const auto before = next();
  listener().send(before.peer, frame_of("for the old one"));
  dialer.connect();
  await_state(dialer, State::open);
  dialer.send(frame_of("2"));
  const auto after = next();
  EXPECT_EQ(after.bytes, "2");
  EXPECT_NE(before.peer, after.peer);
  listener().send(after.peer, frame_of("for the new one"));
  EXPECT_EQ(next(dialer), "for the new one");
}

TEST_P(TransportTest, knows_when_a_peer_is_gone) {
  Dialer& dialer = connected();
  dialer.send(frame_of("1"));
  const auto arrived = next();
  dialer.close(0s);
  EXPECT_EQ(dialer.state(), State::closed);
  EXPECT_FALSE(dialer.send(frame_of("2")));
  const TimePoint until = Clock::now() + patience;
  Sent sent = Sent::queued;
  while (sent != Sent::gone && Clock::now() < until) {
    listener().wait(Clock::now() + 1ms);
    sent = listener().send(arrived.peer, frame_of("x"));
  }
  EXPECT_EQ(sent, Sent::gone);
  EXPECT_EQ(listener().send(wire::PeerId{12345}, frame_of("x")), Sent::gone);
}

TEST_P(TransportTest, notices_that_the_listener_has_gone) {
  Dialer& dialer = connected();
  dialer.send(frame_of("1"));
  next();
  end_listener();
  await_state(dialer, State::lost);
  EXPECT_NE(dialer.trouble(), "");
}

TEST_P(TransportTest, a_wait_ends_when_it_is_time_or_woken) {
  Dialer& dialer = connected();
  const TimePoint before = Clock::now();
  listener().wait(before + 20ms);
  dialer.wait(before + 40ms);
  EXPECT_GE(Clock::now(), before + 40ms);
  std::thread waker([&] {
    listener().wake();
    dialer.wake();
  });
  listener().wait(std::nullopt);  // does not return unless woken
  dialer.wait(std::nullopt);
  waker.join();
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, TransportTest,
    testing::Values(Kind{"memory", "", [] { return std::unique_ptr<Network>(new InMemory()); }},
                    Kind{"tcp", "", [] { return std::unique_ptr<Network>(new OverTcp()); }},
                    Kind{"curve", "somebody",
                         [] { return std::unique_ptr<Network>(new Encrypted()); }}),
    [](const auto& kind) { return std::string(kind.param.name); });

TEST(MemoryNetworkTest, cuts_and_loses_to_order) {
  MemoryNetwork network;
  const auto listener = network.listen();
  const auto dialer = network.dial();
  dialer->connect();
  ASSERT_EQ(dialer->state(), State::open);
  network.lose_next(1);
  ASSERT_TRUE(dialer->send(frame_of("lost")));
  ASSERT_TRUE(dialer->send(frame_of("kept")));
  Listener::Arrived arrived;
  ASSERT_TRUE(listener->receive(arrived));
  EXPECT_EQ(arrived.bytes, "kept");
  dialer->send(frame_of("on the way"));
  network.set_reachable(false);
  network.cut();
  EXPECT_FALSE(listener->receive(arrived));
  dialer->wait(std::nullopt);
  EXPECT_EQ(dialer->state(), State::lost);
  EXPECT_EQ(listener->send(arrived.peer, frame_of("x")), Sent::gone);
  dialer->connect();
  EXPECT_EQ(dialer->state(), State::lost);
  EXPECT_EQ(network.lost(), 2U);
}

/// A port that is taken, and refuses connections.
class PortWithoutListener {
 public:
  PortWithoutListener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_.get(), raw, size), 0);
    EXPECT_EQ(::getsockname(socket_.get(), raw, &size), 0);
    number_ = ntohs(address.sin_port);
  }
  int number() const { return number_; }

 private:
  UniqueFd socket_;
  int number_ = 0;
};

TEST(ZmqDialerTest, says_that_nobody_answers) {
  ZmqContext context;
  const PortWithoutListener port;
  const std::string address = "tcp://127.0.0.1:" + std::to_string(port.number());
  ZmqDialer dialer(context, address);
  dialer.connect();
  const TimePoint until = Clock::now() + patience;
  while (dialer.state() == State::connecting && Clock::now() < until) dialer.wait(until);
  ASSERT_EQ(dialer.state(), State::lost);
  EXPECT_EQ(dialer.trouble(), "'" + address + "' does not answer");
}

TEST(ZmqDialerTest, refuses_what_is_no_address) {
  ZmqContext context;
  for (const char* address : {"", "head:7600", "http://head:7600", "tcp://head"}) {
    try {
      const ZmqDialer dialer(context, address);
      ADD_FAILURE() << address;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage) << address;
    }
  }
}

TEST(ZmqListenerTest, refuses_what_cannot_be_bound) {
  ZmqContext context;
  const ZmqListener first(context, "tcp://127.0.0.1:*");
  try {
    const ZmqListener second(context, first.address());
    ADD_FAILURE() << "bound twice";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_NE(std::string(error.what()).find("in use"), std::string::npos) << error.what();
  }
  EXPECT_THROW(std::make_unique<ZmqListener>(context, "nonsense"), Error);
}

/// A listener with keys that knows one key, which tests may take from it.
class KeysTest : public testing::Test {
 protected:
  ListenerKeys listener_keys() {
    return {server, [this](std::string_view key) -> std::optional<std::string> {
              ++questions;
              if (key == known.public_key) return "alice";
              return std::nullopt;
            }};
  }

  /// What becomes of a dialer that connects.
  static State outcome(Dialer& dialer) {
    dialer.connect();
    const TimePoint until = Clock::now() + patience;
    while (dialer.state() == State::connecting && Clock::now() < until) dialer.wait(until);
    return dialer.state();
  }

  const CurveKeyPair server = make_curve_keys();
  const CurveKeyPair known = make_curve_keys();
  std::atomic<int> questions{0};
  ZmqContext context;
};

TEST_F(KeysTest, a_known_key_is_let_in_and_named) {
  ZmqListener listener(context, "tcp://127.0.0.1:*", listener_keys());
  ZmqDialer dialer(context, listener.address(), DialerKeys{known, server.public_key});
  ASSERT_EQ(outcome(dialer), State::open) << dialer.trouble();
  EXPECT_TRUE(dialer.send(frame_of("hello")));
  Listener::Arrived arrived;
  const TimePoint until = Clock::now() + patience;
  while (!listener.receive(arrived) && Clock::now() < until) listener.wait(until);
  EXPECT_EQ(arrived.bytes, "hello");
  EXPECT_EQ(arrived.user, "alice");
}

TEST_F(KeysTest, others_are_not_and_are_told) {
  ZmqListener listener(context, "tcp://127.0.0.1:*", listener_keys());
  const int tried = questions;
  EXPECT_GE(tried, 1) << "it tries whether strangers are refused";
  ZmqDialer stranger(context, listener.address(), DialerKeys{make_curve_keys(), server.public_key});
  EXPECT_EQ(outcome(stranger), State::lost);
  EXPECT_NE(stranger.trouble().find("does not know this key"), std::string::npos)
      << stranger.trouble();
  EXPECT_GT(questions, tried);
}

TEST_F(KeysTest, whoever_has_no_keys_does_not_get_in) {
  ZmqListener listener(context, "tcp://127.0.0.1:*", listener_keys());
  ZmqDialer plain(context, listener.address());
  EXPECT_EQ(outcome(plain), State::lost);
  EXPECT_NE(plain.trouble().find("keys"), std::string::npos) << plain.trouble();
  Listener::Arrived arrived;
  EXPECT_FALSE(listener.receive(arrived));
}

TEST_F(KeysTest, a_coordinator_with_another_key_is_not_spoken_to) {
  ZmqListener listener(context, "tcp://127.0.0.1:*", listener_keys());
  ZmqDialer deceived(context, listener.address(), DialerKeys{known, make_curve_keys().public_key});
  EXPECT_NE(outcome(deceived), State::open);
  ZmqContext other;
  ZmqListener plain(other, "tcp://127.0.0.1:*");
  ZmqDialer careful(other, plain.address(), DialerKeys{known, server.public_key});
  EXPECT_NE(outcome(careful), State::open);
}

TEST_F(KeysTest, one_that_would_let_in_everybody_does_not_start) {
  ListenerKeys open = listener_keys();
  open.user_of = [](std::string_view) { return "anybody"; };
  EXPECT_THROW(ZmqListener(context, "tcp://127.0.0.1:*", open), Error);
}

TEST(CurveKeys, have_a_form) {
  const CurveKeyPair keys = make_curve_keys();
  EXPECT_TRUE(is_curve_key(keys.public_key));
  EXPECT_EQ(public_key_of(keys.secret_key), keys.public_key);
  EXPECT_FALSE(is_curve_key("short"));
  EXPECT_FALSE(is_curve_key(std::string(40, '"')));
  EXPECT_THROW(public_key_of("short"), Error);
}

}  // namespace
}  // namespace muster::transport
