#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>
#include <muster/wire/link.hpp>
#include <muster/wire/sessions.hpp>

namespace muster::wire {
namespace {

using namespace std::chrono_literals;
using Reason = Refusal::Reason;

Hello a_worker(const std::string& name, std::uint64_t instance) {
  return {.role = Role::worker,
          .instance = instance,
          .name = name,
          .room = WorkerRoom{.slots = 2, .ahead = 0, .memory_bytes = 0}};
}

Hello a_client(std::uint64_t instance) { return {.role = Role::client, .instance = instance}; }

/// A link with its connection, and what it was told.
struct End {
  End(const Hello& hello, std::uint64_t seed) : link(hello, LinkOptions{}, seed) {}

  Link link;
  std::optional<PeerId> peer;  // none: there is no connection
  std::deque<SharedFrame> to_server;
  std::deque<SharedFrame> to_client;
  std::uint64_t sessions = 0;     // begun
  std::vector<std::string> got;   // Drain::reason, since the session began
  std::vector<std::string> sent;  // Drain::reason, likewise
  std::vector<Reason> refusals;
};

/// A coordinator's sessions and whoever connects to it, with a network between them that a test
/// breaks, and a clock that stands still until told.
class Network {
 public:
  explicit Network(SessionsOptions options = {}) : options_(std::move(options)) { restart(); }

  /// The coordinator ends without a word, and is there again in its next life.
  void restart() {
    sessions.emplace(options_);
    ++options_.epoch;
    for (const auto& end : ends) cut(*end);
    begun.clear();
    got.clear();
  }

  End& join(const Hello& hello) {
    ends.push_back(std::make_unique<End>(hello, ends.size() + 1));
    LinkOutput out;
    ends.back()->link.start(now, out);
    take(*ends.back(), out);
    return *ends.back();
  }

  /// The connection is gone with all that was on it; both sides notice.
  void cut(End& end) {
    if (!end.peer) return;
    sessions->gone(*end.peer);
    LinkOutput out;
    drop_connection(end);
    end.link.lost(now, out);
    take(end, out);
  }

  void send_from(End& end, const std::string& text) {
    LinkOutput out;
    end.link.send(now, Drain{text}, out);
    end.sent.push_back(text);
    take(end, out);
  }

  void send_to(SessionId session, const std::string& text) {
    SessionsOutput out;
    sessions->send(now, session, Drain{text}, out);
    take(out);
  }

  /// One frame in each direction of each connection. False if there was none.
  bool step() {
    bool any = false;
    for (const auto& end : ends) {
      if (!end->to_server.empty()) {
        any = true;
        const SharedFrame frame = std::exchange(end->to_server.front(), nullptr);
        end->to_server.pop_front();
        SessionsOutput out;
        sessions->receive(now, *end->peer, "", *frame, out);
        take(out);
      }
      if (!end->to_client.empty()) {
        any = true;
        const SharedFrame frame = std::exchange(end->to_client.front(), nullptr);
        end->to_client.pop_front();
        LinkOutput out;
        end->link.receive(now, *frame, out);
        take(*end, out);
      }
    }
    return any;
  }

  /// To the next deadline, or to `until`.
  void pass_time(TimePoint until) {
    TimePoint next = std::min(until, sessions->next_deadline().value_or(until));
    for (const auto& end : ends) next = std::min(next, end->link.next_deadline().value_or(next));
    now = std::max(now, next);
    SessionsOutput out;
    sessions->expire(now, out);
    take(out);
    for (const auto& end : ends) {
      LinkOutput of_link;
      end->link.expire(now, of_link);
      take(*end, of_link);
    }
  }

  void run_for(Duration time) {
    const TimePoint until = now + time;
    for (;;) {
      while (step()) {
      }
      if (now >= until) return;
      pass_time(until);
    }
  }

  TimePoint now{};
  std::optional<Sessions> sessions;
  std::vector<std::unique_ptr<End>> ends;
  std::map<SessionId, Hello> begun;                   // sessions that there are
  std::map<SessionId, std::vector<std::string>> got;  // Drain::reason
  std::vector<SessionEnded::Reason> over;
  bool reachable = true;
  double lost_share = 0;
  std::uint64_t lost = 0;

 private:
  void drop_connection(End& end) {
    end.peer.reset();
    end.to_server.clear();
    end.to_client.clear();
  }

  void take(End& end, LinkOutput& out) {
    if (out.disconnect) {
      if (end.peer) sessions->gone(*end.peer);
      drop_connection(end);
    }
    if (out.refused) end.refusals.push_back(out.refused->reason);
    if (out.connect && reachable) {
      end.peer = PeerId{++peers_};
      LinkOutput next;
      end.link.opened(now, next);
      take(end, next);
    }
    for (SharedFrame& frame : out.frames) {
      if (end.peer && !loses()) end.to_server.push_back(std::move(frame));
    }
    if (out.opened) {
      ++end.sessions;
      end.got.clear();
      end.sent.clear();
    }
    for (const Message& message : out.messages) end.got.push_back(std::get<Drain>(message).reason);
    if (out.heartbeat_due) {
      LinkOutput beat;
      end.link.beat(now, {}, beat);
      take(end, beat);
    }
  }

  void take(SessionsOutput& out) {
    for (auto& [peer, frame] : out.frames) {
      for (const auto& end : ends) {
        if (end->peer == peer && !loses()) end->to_client.push_back(frame);
      }
    }
    for (const SessionEvent& event : out.events) {
      if (const auto* began = std::get_if<SessionBegun>(&event)) {
        begun.emplace(began->session, began->hello);
      } else if (const auto* ended = std::get_if<SessionEnded>(&event)) {
        EXPECT_EQ(begun.erase(ended->session), 1U);
        over.push_back(ended->reason);
      } else if (const auto* message = std::get_if<SessionMessage>(&event)) {
        EXPECT_TRUE(begun.contains(message->session));
        if (const auto* drain = std::get_if<Drain>(&message->message))
          got[message->session].push_back(drain->reason);
      }
    }
  }

  bool loses() {
    if (lost_share == 0 || !random_.chance(lost_share)) return false;
    ++lost;
    return true;
  }

  SessionsOptions options_;
  std::uint64_t peers_ = 0;
  Random random_{1};
};

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
  LinkOutput bye;
  first.link.end(net.now, "done", bye);
  for (const SharedFrame& frame : bye.frames) first.to_server.push_back(frame);
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

TEST(Session, holds_on_networks_that_lose_and_cut) {
  std::uint64_t lost = 0;
  std::uint64_t resumed = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    Network net({.lease = 20s});
    for (std::uint64_t i = 1; i <= 3; ++i) net.join(a_client(i));
    net.run_for(1ms);
    net.lost_share = 0.1;
    std::uint64_t sent = 0;
    for (int round = 0; round < 60; ++round) {
      for (const auto& end : net.ends) {
        if (end->link.has_session() && random.chance(0.5))
          net.send_from(*end, std::to_string(++sent));
        if (random.chance(0.05)) net.cut(*end);
      }
      net.run_for(std::chrono::milliseconds(random.below(400)));
    }
    net.lost_share = 0;
    net.run_for(100s);
    for (const auto& end : net.ends) {
      ASSERT_TRUE(end->link.is_open()) << "seed " << seed;
      ASSERT_EQ(net.got[SessionId{end->link.session()}], end->sent) << "seed " << seed;
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
