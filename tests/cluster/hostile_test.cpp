// Peers that mean harm, against a coordinator that has work meanwhile. What they do is counted,
// here and in the last line of the coordinator's log.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include <muster/wire/frame.hpp>
#include <muster/wire/message.hpp>

#include "cluster_of_programs.hpp"
#include "steady_work.hpp"
#include "support/proc.hpp"
#include "support/raw_peer.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;
using test::RawPeer;

std::uint64_t random_number() {
  std::random_device random;
  return std::uint64_t{random()} << 32U | random();
}

wire::Hello a_client() {
  wire::Hello out{.role = wire::Role::client, .instance = random_number()};
  out.name = "raw";
  return out;
}

template <class M>
Bytes frame_of(const M& message, std::uint64_t epoch = 0, std::uint64_t sequence = 0) {
  Bytes out = wire::to_frame(message);
  wire::finish_frame(
      out, {.type = static_cast<std::uint16_t>(M::type), .epoch = epoch, .sequence = sequence});
  return out;
}

Bytes frame_with(std::uint16_t type, std::string_view body, std::uint64_t epoch = 0,
                 std::uint64_t sequence = 0) {
  Bytes out = wire::start_frame();
  out += body;
  wire::finish_frame(out, {.type = type, .epoch = epoch, .sequence = sequence});
  return out;
}

template <class T>
Bytes with(Bytes frame, std::size_t at, T value) {
  std::memcpy(frame.data() + at, &value, sizeof(value));
  return frame;
}

class Hostile : public ClusterOfPrograms {
 protected:
  void SetUp() override {
    ClusterOfPrograms::SetUp();
    start_coordinator();
    start_worker("w1");
    start_worker("w2");
    work_.emplace(address());
    work_->expect_progress();
  }
  void TearDown() override {
    EXPECT_GT(faults, 0U) << "nothing has happened";
    work_.reset();
    ClusterOfPrograms::TearDown();
  }

  /// The work was not harmed, and the coordinator ends as it should: the last line of its log.
  std::string last_line() {
    work_->expect_all_right();
    coordinator().send(SIGTERM);
    const Finished end = coordinator().wait();
    EXPECT_EQ(end.exit_code, 0) << end.text();
    const auto at = end.err.rfind("muster-coordinator: ends");
    return at == std::string::npos ? end.err : end.err.substr(at);
  }
  void expect_seen(std::string_view what) {
    const std::string line = last_line();
    EXPECT_NE(line.find(what), std::string::npos) << line;
  }

  /// The next message of the given type, heartbeats and the like passed over.
  template <class M>
  static std::optional<M> receive(RawPeer& peer, std::uint64_t* epoch = nullptr) {
    while (const auto bytes = peer.receive()) {
      const wire::FrameReading reading = wire::read_frame(*bytes);
      if (!reading.frame) return std::nullopt;
      auto message = wire::read_message(reading.frame->header.type, reading.frame->body);
      if (!message || !std::holds_alternative<M>(*message)) continue;
      if (epoch != nullptr) *epoch = reading.frame->header.epoch;
      return std::get<M>(std::move(*message));
    }
    return std::nullopt;
  }
  /// Says hello, and is let in. The epoch.
  static std::uint64_t join(RawPeer& peer) {
    std::uint64_t epoch = 0;
    EXPECT_TRUE(peer.send(frame_of(a_client())));
    EXPECT_TRUE(receive<wire::Welcome>(peer, &epoch).has_value());
    return epoch;
  }
  void expect_refusal(RawPeer& peer, wire::Refusal::Reason reason) {
    const auto refusal = receive<wire::Refusal>(peer);
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->reason, reason) << refusal->message;
    ++faults;
  }

  void expect_resident_below(std::uint64_t bytes) {
#ifdef MUSTER_SANITIZED  // what they keep grows with what was touched
    bytes *= 16;
#endif
    EXPECT_LT(test::resident_bytes(coordinator().pid()), bytes);
  }
  void count(bool has_happened) {
    if (has_happened) ++faults;
  }

  std::uint64_t faults = 0;
  std::optional<SteadyWork> work_;
};

TEST_F(Hostile, DamagedMessagesAreDropped) {
  constexpr int repetitions = 20;
  const Bytes whole = frame_of(a_client());
  const std::vector<Bytes> damaged = {
      "",
      "x",
      Bytes(wire::frame_header_bytes, '\xff'),
      with(whole, 0, 'm'),                       // another magic
      with(whole, 40, ~std::uint64_t{0}),        // another checksum
      with(whole, 8, std::uint32_t{1}),          // another length
      with(whole, 8, wire::body_bytes_max + 1),  // more than may be
      with(whole, 12, 1),                        // where nothing may be
      whole.substr(0, whole.size() - 1),
      whole + 'x',
  };
  RawPeer peer(address());
  ASSERT_TRUE(peer.shake_hands());
  for (int i = 0; i < repetitions; ++i) {
    for (const Bytes& each : damaged) count(peer.send(each));
  }
  join(peer);
  EXPECT_EQ(faults, repetitions * damaged.size());
  expect_seen(fmt::format("damaged or foreign messages: {}", faults));
}

TEST_F(Hostile, OtherVersionsOfTheProtocolAreToldSo) {
  for (const int version : {0, 2, 999}) {
    RawPeer peer(address());
    ASSERT_TRUE(peer.shake_hands());
    ASSERT_TRUE(peer.send(with(frame_of(a_client()), 4, static_cast<std::uint16_t>(version))));
    const auto refusal = receive<wire::Refusal>(peer);
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->reason, wire::Refusal::Reason::other_version);
    for (const int each : {version, int{wire::protocol_version}}) {
      EXPECT_NE(refusal->message.find(fmt::format("version {}", each)), std::string::npos)
          << refusal->message;
    }
    EXPECT_EQ(refusal->hint, "run programs of one release");
    ++faults;
  }
  expect_seen("damaged or foreign messages: 3");
}

TEST_F(Hostile, BodiesThatMakeNoSenseEndTheirSession) {
  using Reason = wire::Refusal::Reason;
  RawPeer stranger(address());
  ASSERT_TRUE(stranger.shake_hands());
  stranger.send(frame_with(static_cast<std::uint16_t>(wire::Hello::type), "no hello"));
  expect_refusal(stranger, Reason::malformed);
  for (const Bytes& body : {Bytes("no calls"), Bytes(100, '\xff'), Bytes()}) {
    RawPeer peer(address());
    ASSERT_TRUE(peer.shake_hands());
    const std::uint64_t epoch = join(peer);
    peer.send(frame_with(static_cast<std::uint16_t>(wire::Calls::type), body, epoch, 1));
    expect_refusal(peer, Reason::malformed);
  }
  RawPeer as_worker(address());
  ASSERT_TRUE(as_worker.shake_hands());
  const std::uint64_t epoch = join(as_worker);
  as_worker.send(frame_of(wire::Ends{{{1, wire::EndKind::value, "mine"}}}, epoch, 1));
  expect_refusal(as_worker, Reason::malformed);
  expect_seen("messages that make no sense: 5");
}

TEST_F(Hostile, MessagesOfUnknownTypesSayNothing) {
  RawPeer peer(address());
  ASSERT_TRUE(peer.shake_hands());
  const std::uint64_t epoch = join(peer);
  for (std::uint64_t sequence = 1; sequence <= 5; ++sequence)
    count(peer.send(frame_with(9999, "from the future", epoch, sequence)));
  ASSERT_TRUE(peer.send(frame_of(wire::Heartbeat{.number = 77}, epoch)));
  const auto beat = receive<wire::Heartbeat>(peer);
  ASSERT_TRUE(beat.has_value());
  EXPECT_EQ(beat->number, 77U) << "the session goes on";
  EXPECT_EQ(faults, 5U);
  expect_seen("messages of unknown types: 5");
}

TEST_F(Hostile, NobodyGetsTheSessionOfAnother) {
  using Reason = wire::Refusal::Reason;
  RawPeer peer(address());
  ASSERT_TRUE(peer.shake_hands());
  const std::uint64_t epoch = join(peer);
  RawPeer without(address());
  ASSERT_TRUE(without.shake_hands());
  without.send(frame_of(wire::Calls{}, epoch, 1));
  expect_refusal(without, Reason::unknown);
  for (std::uint64_t session = 1; session <= 10; ++session) {
    wire::Hello hello = a_client();
    hello.resume = wire::Resumption{session, 0};
    without.send(frame_of(hello));
    expect_refusal(without, Reason::unknown);
  }
  wire::Hello worker{.role = wire::Role::worker, .instance = random_number()};
  worker.name = "w1";
  worker.room = wire::WorkerRoom{};
  without.send(frame_of(worker));
  expect_refusal(without, Reason::name_taken);
  const std::string line = last_line();
  EXPECT_NE(line.find("hellos refused: 11"), std::string::npos) << line;
  EXPECT_NE(line.find("messages without a session: 1"), std::string::npos) << line;
}

// Without a seed of its own, ZeroMQ calls its first peer 6b8b4567, in every program; and it ends
// the program when a name that it gives is taken.
TEST_F(Hostile, PeersThatNameThemselvesDoNoHarm) {
  constexpr std::uint32_t first_unseeded = 0x6b8b4567;
  constexpr std::uint32_t count = 64;
  std::vector<std::unique_ptr<RawPeer>> peers;
  const auto add = [&](std::string_view name) -> RawPeer& {
    peers.push_back(std::make_unique<RawPeer>(address()));
    EXPECT_TRUE(peers.back()->shake_hands(name));
    return *peers.back();
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t number = first_unseeded + i;
    std::string name(1, '\0');
    for (const unsigned shift : {24U, 16U, 8U, 0U}) name += static_cast<char>(number >> shift);
    add(name);
    ++faults;
  }
  for (std::uint32_t i = 0; i < count; ++i) join(add(""));
  for (const char* name : {"somebody", "x", "w1"}) {
    EXPECT_TRUE(add(name).send(frame_of(a_client())));
    ++faults;
  }
  add("twice");
  EXPECT_TRUE(add("twice").send(frame_of(a_client())));  // ZeroMQ takes it for a name
  ++faults;
  EXPECT_EQ(faults, count + 4);
  // ZeroMQ's thread hands on what has come in no fixed order: by then it has come to all of them.
  for (int i = 0; i < 20; ++i) join(add(""));
  expect_seen("from peers that name themselves: 3");
}

TEST_F(Hostile, MessagesOfManyPartsAreDropped) {
  constexpr int parts = 50'000;
  RawPeer peer(address());
  ASSERT_TRUE(peer.shake_hands());
  std::string message;
  for (int i = 0; i < parts; ++i) message += RawPeer::framed("part", i + 1 < parts);
  for (int i = 0; i < 3; ++i) count(peer.write(message));
  const Bytes hello = frame_of(a_client());
  count(peer.write(RawPeer::framed(hello, true) + RawPeer::framed(hello, false)));
  join(peer);
  EXPECT_EQ(faults, 4U);
  expect_seen("messages of many parts or from peers that name themselves: 4");
}

TEST_F(Hostile, FramesThatAreTooLargeEndTheirConnection) {
  for (const std::uint64_t bytes :
       {std::uint64_t{wire::frame_header_bytes} + wire::body_bytes_max + 1, std::uint64_t{1} << 40U,
        std::uint64_t{1} << 62U, ~std::uint64_t{0}}) {
    RawPeer peer(address());
    ASSERT_TRUE(peer.shake_hands());
    ASSERT_TRUE(peer.write(RawPeer::head(bytes, false) + "the first bytes"));
    EXPECT_TRUE(peer.is_closed_within(20s)) << bytes;
    ++faults;
  }
  expect_resident_below(std::uint64_t{256} << 20U);
  EXPECT_EQ(faults, 4U);
  EXPECT_NE(last_line(), "");
}

TEST_F(Hostile, ConnectionsThatEndAnywhereCostNothing) {
  const std::string handshake = RawPeer::greeting() + RawPeer::ready("");
  for (std::size_t length = 0; length < handshake.size(); ++length) {
    RawPeer peer(address());
    count(peer.write(handshake.substr(0, length)));
  }
  const std::string message = RawPeer::framed(frame_of(a_client()), false);
  for (std::size_t length = 1; length < message.size(); ++length) {
    RawPeer peer(address());
    ASSERT_TRUE(peer.shake_hands());
    count(peer.write(message.substr(0, length)));
  }
  EXPECT_EQ(faults, handshake.size() + message.size() - 1);
  RawPeer peer(address());
  ASSERT_TRUE(peer.shake_hands());
  join(peer);
  EXPECT_NE(last_line(), "");
}

TEST_F(Hostile, WhoSaysNothingIsPutOut) {
  std::vector<std::unique_ptr<RawPeer>> peers;
  for (const std::size_t length : {0U, 1U, 10U, 12U, 63U, 64U, 70U}) {
    peers.push_back(std::make_unique<RawPeer>(address()));
    const std::string handshake = RawPeer::greeting() + RawPeer::ready("");
    ASSERT_TRUE(peers.back()->write(handshake.substr(0, length)));
  }
  for (int i = 0; i < 3; ++i) {
    peers.push_back(std::make_unique<RawPeer>(address()));
    ASSERT_TRUE(peers.back()->shake_hands());
  }
  RawPeer guest(address());
  ASSERT_TRUE(guest.shake_hands());
  join(guest);
  EXPECT_FALSE(peers.front()->is_closed_within(1s)) << "it has some seconds";
  for (const auto& each : peers) count(each->is_closed_within(20s));
  EXPECT_EQ(faults, peers.size());
  EXPECT_FALSE(guest.is_closed_within(500ms)) << "it has said hello";
  EXPECT_NE(await_line(coordinator(), "that said nothing for 6.00 s"), "");
  expect_seen("silent connections: ");
}

// Again and again: what was taken by one that was cut is there for the next.
TEST_F(Hostile, MessagesWithoutEndAreCut) {
  constexpr std::uint64_t parts_max = 8192;
  constexpr int rounds = 8;
  const std::string part = RawPeer::framed(std::string(std::size_t{1} << 20U, 'x'), true);
  std::uint64_t all_parts = 0;  // of 1 MiB
  for (int round = 0; round < rounds; ++round) {
    RawPeer peer(address());
    ASSERT_TRUE(peer.shake_hands());
    std::uint64_t parts = 0;
    while (parts < parts_max && peer.write(part)) ++parts;
    all_parts += parts;
    EXPECT_LT(parts, parts_max) << "it was cut";
    EXPECT_GE(parts, 128U) << "though not before it had to be";
    ++faults;
    std::printf("cut after %d MiB; the coordinator has %d MiB\n", int(parts),
                int(test::resident_bytes(coordinator().pid()) >> 20U));
  }
  expect_resident_below(all_parts / 2 << 20U);
  EXPECT_EQ(faults, std::uint64_t{rounds});
  expect_seen("messages without end: 8");
}

}  // namespace
}  // namespace muster::testing
