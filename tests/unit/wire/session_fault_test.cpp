// What becomes of sessions when messages, connections and keys are lost.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "session_network.hpp"

namespace muster::wire {
namespace {

TEST(Session, a_worker_whose_welcome_is_lost_gets_in) {
  Network net;
  net.lost_share = 1;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  net.lost_share = 0;
  Bytes hello = to_frame(a_worker("w", 1));
  finish_frame(hello, {.type = static_cast<std::uint16_t>(Hello::type)});
  net.receive(PeerId{1000}, hello);  // its welcome gets nowhere
  ASSERT_EQ(net.begun.size(), 1U);
  net.run_for(8s);
  EXPECT_EQ(net.over, std::vector{SessionEnded::Reason::renewed});
  EXPECT_TRUE(worker.link.is_open());
  EXPECT_TRUE(worker.refusals.empty());
  EXPECT_EQ(net.sessions->size(), 1U);
}

TEST(Session, a_connection_that_is_somebody_elses_now_says_nothing_for_it) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  Bytes frame = to_frame(WorkerState{WorkerState::Kind::draining, "stolen"});
  finish_frame(frame, {.type = static_cast<std::uint16_t>(WorkerState::type),
                       .epoch = worker.link.epoch(),
                       .sequence = 1});
  SessionsOutput out;
  net.sessions->receive(net.now, *worker.peer, "mallory", frame, out);
  EXPECT_TRUE(out.events.empty());
  EXPECT_EQ(net.sessions->size(), 1U);
}

TEST(Session, a_key_that_is_revoked_does_not_come_back) {
  bool allowed = true;
  Network net({.may_be = [&](auto, auto) { return allowed; }});
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  allowed = false;
  net.cut(worker);
  net.run_for(60s);
  EXPECT_EQ(net.over, std::vector{SessionEnded::Reason::revoked});
  EXPECT_EQ(worker.refusals, (std::vector{Reason::unknown, Reason::not_allowed}));
  EXPECT_TRUE(worker.link.ended());
}

TEST(Session, the_lease_counts_from_what_was_answered) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(5500ms);
  const SessionId session = net.begun.begin()->first;
  const auto leased_until = worker.link.lease_end();
  net.loses_uplink = true;
  for (int i = 0; i < 9 && worker.link.is_open(); ++i) {
    net.send_to(session, "the other direction works");
    net.run_for(1s);
  }
  EXPECT_EQ(worker.link.lease_end(), leased_until);
  net.run_for(2s);
  EXPECT_FALSE(worker.link.is_open());
  EXPECT_EQ(net.over, std::vector{SessionEnded::Reason::expired});
  EXPECT_LE(*leased_until, net.expired_at) << "the worker stops before others get its work";
}

TEST(Session, what_the_coordinator_must_not_say_ends_it) {
  Network net;
  End& client = net.join(a_client(1));
  net.run_for(1ms);
  Bytes frame = start_frame();
  frame += "nonsense";
  finish_frame(frame, {.type = static_cast<std::uint16_t>(Ends::type),
                       .epoch = client.link.epoch(),
                       .sequence = 1});
  client.to_client.push_back(std::make_shared<const Bytes>(frame));
  net.step();
  EXPECT_FALSE(client.link.has_session());
  EXPECT_EQ(client.link.bad_frames(), 1U);
  net.run_for(5s);
  EXPECT_TRUE(client.link.is_open());
  EXPECT_EQ(client.sessions, 2U);
  EXPECT_EQ(net.over, std::vector{SessionEnded::Reason::renewed});
}

TEST(Session, goodbye_waits_for_what_was_sent) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  const SessionId session = net.begun.begin()->first;
  net.lost_share = 1;
  net.send_from(worker, "the last result");
  net.lost_share = 0;
  net.end(worker);
  EXPECT_FALSE(worker.link.ended());
  net.run_for(2s);
  EXPECT_TRUE(worker.link.ended());
  EXPECT_EQ(net.got[session], std::vector<std::string>{"the last result"});
  EXPECT_EQ(net.over, std::vector{SessionEnded::Reason::goodbye});
}

TEST(Session, goodbye_waits_for_no_answer_for_ever) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  net.lost_share = 1;
  net.end(worker);
  net.run_for(6s);
  EXPECT_TRUE(worker.link.ended());
}

TEST(Session, the_coordinator_can_end_them) {
  Network net;
  End& first = net.join(a_client(1));
  End& second = net.join(a_client(2));
  net.run_for(1ms);
  net.end_session(SessionId{first.link.session()}, Reason::malformed);
  net.run_for(1ms);
  EXPECT_TRUE(first.link.ended());
  EXPECT_TRUE(second.link.is_open());
  net.end_all();
  net.run_for(1ms);
  EXPECT_EQ(second.refusals, std::vector{Reason::ending});
  EXPECT_FALSE(second.link.has_session());
  EXPECT_EQ(net.sessions->size(), 0U);
}

TEST(Session, a_client_has_no_slots_and_a_worker_not_too_many) {
  Network net;
  Hello greedy = a_worker("greedy", 1);
  greedy.room->slots = worker_slots_max + 1;
  Hello odd = a_client(2);
  odd.room = WorkerRoom{};
  Hello nameless = a_worker("", 3);
  Hello strange = a_worker("\x1b[2J", 4);
  Hello endless = a_worker(std::string(name_bytes_max + 1, 'x'), 5);
  for (const Hello& each : {greedy, odd, nameless, strange, endless}) net.join(each);
  net.run_for(1ms);
  for (const auto& end : net.ends) EXPECT_EQ(end->refusals, std::vector{Reason::malformed});
  EXPECT_TRUE(net.begun.empty());
}

TEST(Session, pauses_grow_until_a_connection_has_led_to_something) {
  Network net;
  net.reachable = false;
  End& worker = net.join(a_worker("w", 1));
  std::vector<Duration> pauses;
  for (int i = 0; i < 12; ++i) {
    net.pass_time(net.now + 100s);  // it gives the connection up
    const TimePoint before = net.now;
    net.pass_time(net.now + 100s);  // it tries again
    pauses.push_back(net.now - before);
  }
  EXPECT_LT(pauses.front(), 375ms);
  EXPECT_GT(pauses.back(), 15s);
  EXPECT_LT(pauses.back(), 45s);
  net.reachable = true;
  net.run_for(60s);
  ASSERT_TRUE(worker.link.is_open());
  net.cut(worker);
  EXPECT_LT(*worker.link.next_deadline() - net.now, 375ms);
}

TEST(Session, holds_on_networks_that_lose_and_cut) {
  std::uint64_t lost = 0;
  std::uint64_t resumed = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    Network net({.lease = 20s});
    net.join(a_client(1));
    for (std::uint64_t i = 2; i <= 3; ++i) net.join(a_worker("w" + std::to_string(i), i));
    net.run_for(1ms);
    net.lost_share = 0.1;
    std::map<SessionId, std::vector<std::string>> sent_to;
    std::uint64_t sent = 0;
    for (int round = 0; round < 60; ++round) {
      for (const auto& end : net.ends) {
        if (end->link.has_session() && random.chance(0.5))
          net.send_from(*end, std::to_string(++sent));
        const SessionId session{end->link.session()};
        if (end->link.has_session() && net.begun.contains(session) && random.chance(0.5))
          net.send_to(session, sent_to[session].emplace_back(std::to_string(++sent)));
        if (random.chance(0.05)) net.cut(*end);
      }
      net.run_for(std::chrono::milliseconds(random.below(400)));
    }
    net.lost_share = 0;
    net.run_for(100s);
    for (const auto& end : net.ends) {
      const SessionId session{end->link.session()};
      ASSERT_TRUE(end->link.is_open()) << "seed " << seed;
      ASSERT_EQ(net.got[session], end->sent) << "seed " << seed;
      ASSERT_EQ(end->got, sent_to[session]) << "seed " << seed;
    }
    ASSERT_EQ(net.begun.size(), 3U);
    lost += net.lost;
    resumed += net.sessions->counters().resumed;
  }
  EXPECT_GT(lost, 500U);
  EXPECT_GT(resumed, 100U);
}

}  // namespace
}  // namespace muster::wire
