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

TEST(Session, begins_and_carries_messages_both_ways) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  ASSERT_TRUE(worker.link.is_open());
  ASSERT_EQ(net.begun.size(), 1U);
  const SessionId session = net.begun.begin()->first;
  EXPECT_EQ(worker.link.session(), session.value);
  EXPECT_EQ(net.begun.at(session).name, "w");
  net.send_from(worker, "up");
  net.send_to(session, "down");
  net.run_for(1ms);
  EXPECT_EQ(net.got[session], std::vector<std::string>{"up"});
  EXPECT_EQ(worker.got, std::vector<std::string>{"down"});
}

TEST(Session, lives_as_long_as_there_are_heartbeats) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(100s);
  EXPECT_TRUE(worker.link.is_open());
  EXPECT_EQ(worker.sessions, 1U);
  EXPECT_TRUE(net.over.empty());
}

TEST(Session, goes_on_over_another_connection_and_loses_nothing) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  const SessionId session = net.begun.begin()->first;
  net.send_from(worker, "1");
  net.send_to(session, "a");
  net.cut(worker);
  net.send_from(worker, "2");
  net.send_to(session, "b");
  EXPECT_FALSE(worker.link.is_open());
  net.run_for(1s);
  ASSERT_TRUE(worker.link.is_open());
  EXPECT_EQ(worker.sessions, 1U);
  EXPECT_EQ(net.sessions->counters().resumed, 1U);
  EXPECT_EQ(net.got[session], (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(worker.got, (std::vector<std::string>{"a", "b"}));
}

TEST(Session, ends_with_its_lease_and_another_begins) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  net.reachable = false;
  net.cut(worker);
  net.run_for(11s);
  EXPECT_EQ(net.over, std::vector{SessionEnded::Reason::expired});
  EXPECT_TRUE(net.begun.empty());
  net.reachable = true;
  net.run_for(60s);
  EXPECT_TRUE(worker.link.is_open());
  EXPECT_EQ(worker.refusals, std::vector{Reason::unknown});
  EXPECT_EQ(worker.sessions, 2U);
  EXPECT_EQ(net.begun.size(), 1U);
}

TEST(Session, who_hears_nothing_knows_when_it_is_given_up) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  net.lost_share = 1;  // both ways, and no connection breaks
  const TimePoint heard = net.now;
  net.run_for(11s);
  EXPECT_FALSE(worker.link.is_open());
  ASSERT_TRUE(worker.link.lease_end().has_value());
  EXPECT_GE(*worker.link.lease_end(), heard + 9s);
  EXPECT_LE(*worker.link.lease_end(), heard + 10s);
}

TEST(Session, a_coordinator_in_its_next_life_gets_everybody_back) {
  Network net;
  for (std::uint64_t i = 1; i <= 20; ++i) net.join(a_worker("w" + std::to_string(i), i));
  net.run_for(1ms);
  ASSERT_EQ(net.begun.size(), 20U);
  const std::uint64_t first_life = net.ends.front()->link.epoch();
  net.restart();
  EXPECT_TRUE(net.begun.empty());
  net.run_for(2s);
  EXPECT_EQ(net.begun.size(), 20U);
  for (const auto& end : net.ends) {
    EXPECT_TRUE(end->link.is_open());
    EXPECT_EQ(end->sessions, 2U);
    EXPECT_EQ(end->link.epoch(), first_life + 1);
  }
}

TEST(Session, a_name_is_one_workers) {
  Network net;
  End& first = net.join(a_worker("w", 1));
  net.run_for(1ms);
  End& second = net.join(a_worker("w", 2));
  net.run_for(1s);
  EXPECT_TRUE(first.link.is_open());
  EXPECT_FALSE(second.link.is_open());
  ASSERT_FALSE(second.refusals.empty());
  EXPECT_EQ(second.refusals.front(), Reason::name_taken);
  net.end(first);
  net.run_for(60s);
  EXPECT_EQ(net.over, std::vector{SessionEnded::Reason::goodbye});
  EXPECT_TRUE(second.link.is_open());
}

TEST(Session, who_may_not_is_told_and_gives_up) {
  Network net({.may_be = [](auto, Role role) { return role == Role::client; }});
  End& worker = net.join(a_worker("w", 1));
  End& client = net.join(a_client(2));
  net.run_for(60s);
  EXPECT_TRUE(client.link.is_open());
  EXPECT_TRUE(worker.link.ended());
  EXPECT_EQ(worker.refusals, std::vector{Reason::not_allowed});
  EXPECT_EQ(net.sessions->counters().refused, 1U);
}

TEST(Session, there_are_only_so_many) {
  Network net({.sessions_max = 3});
  for (std::uint64_t i = 1; i <= 4; ++i) net.join(a_client(i));
  net.run_for(1ms);
  EXPECT_EQ(net.begun.size(), 3U);
  EXPECT_EQ(net.ends.back()->refusals, std::vector{Reason::full});
  EXPECT_FALSE(net.ends.back()->link.ended()) << "there may be room later";
}

TEST(Session, a_hello_that_makes_no_sense_is_refused) {
  Network net;
  Hello slotless = a_worker("w", 1);
  slotless.room->slots = 0;
  net.join(slotless);
  net.run_for(1ms);
  EXPECT_EQ(net.ends.back()->refusals, std::vector{Reason::malformed});
  EXPECT_TRUE(net.begun.empty());
}

TEST(Session, a_stranger_cannot_go_on_with_anothers) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  Hello thief = a_worker("thief", 2);
  thief.resume = Resumption{worker.link.session(), 0};
  Bytes frame = to_frame(thief);
  finish_frame(frame, {.type = static_cast<std::uint16_t>(Hello::type)});
  SessionsOutput out;
  net.sessions->receive(net.now, PeerId{1000}, "", frame, out);
  EXPECT_TRUE(out.events.empty());
  ASSERT_EQ(out.frames.size(), 1U);
  const auto reading = read_frame(*out.frames.front().second);
  const auto answer = read_message(reading.frame->header.type, reading.frame->body);
  EXPECT_EQ(std::get<Refusal>(answer.value()).reason, Reason::unknown);
}

TEST(Session, what_makes_no_sense_ends_it) {
  Network net;
  End& worker = net.join(a_worker("w", 1));
  net.run_for(1ms);
  Bytes frame = start_frame();
  frame += "nonsense";
  finish_frame(frame, {.type = static_cast<std::uint16_t>(Ends::type),
                       .epoch = worker.link.epoch(),
                       .sequence = 1});
  worker.to_server.push_back(std::make_shared<const Bytes>(frame));
  net.run_for(1ms);
  EXPECT_EQ(net.over, std::vector{SessionEnded::Reason::malformed});
  EXPECT_TRUE(worker.link.ended());
  EXPECT_EQ(net.sessions->counters().malformed, 1U);
}

TEST(Session, other_protocols_are_told_apart) {
  Network net;
  SessionsOutput out;
  net.sessions->receive(net.now, PeerId{1}, "", "GET / HTTP/1.1\r\n\r\n", out);
  EXPECT_TRUE(out.frames.empty()) << "nothing is said to strangers";
  Bytes frame = to_frame(a_client(1));
  finish_frame(frame, {.type = static_cast<std::uint16_t>(Hello::type)});
  frame[4] = 9;
  net.sessions->receive(net.now, PeerId{1}, "", frame, out);
  ASSERT_EQ(out.frames.size(), 1U);
  const auto reading = read_frame(*out.frames.front().second);
  const auto answer = read_message(reading.frame->header.type, reading.frame->body);
  EXPECT_EQ(std::get<Refusal>(answer.value()).reason, Reason::other_version);
  EXPECT_EQ(net.sessions->counters().bad_frames, 2U);
}

TEST(Session, those_that_lost_theirs_together_do_not_come_back_together) {
  Network net;
  for (std::uint64_t i = 1; i <= 100; ++i) net.join(a_client(i));
  net.run_for(1ms);
  for (const auto& end : net.ends) net.cut(*end);
  std::vector<TimePoint> back;
  for (const auto& end : net.ends) back.push_back(end->link.next_deadline().value());
  const auto [first, last] = std::minmax_element(back.begin(), back.end());
  EXPECT_GT(*last - *first, 150ms);
  EXPECT_GE(*first, net.now + 125ms);
}

}  // namespace
}  // namespace muster::wire
