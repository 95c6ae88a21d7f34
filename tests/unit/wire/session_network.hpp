#pragma once

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

using namespace std::chrono_literals;
using Reason = Refusal::Reason;

inline Hello a_worker(const std::string& name, std::uint64_t instance) {
  return {.role = Role::worker,
          .instance = instance,
          .name = name,
          .room = WorkerRoom{.slots = 2, .ahead = 0, .memory_bytes = 0}};
}

inline Hello a_client(std::uint64_t instance) {
  return {.role = Role::client, .instance = instance};
}

/// A link with its connection, and what it was told.
struct End {
  End(const Hello& hello, std::uint64_t seed)
      : role(hello.role), link(hello, LinkOptions{}, seed) {}

  Role role;

  Link link;
  std::optional<PeerId> peer;  // none: there is no connection
  std::deque<SharedFrame> to_server;
  std::deque<SharedFrame> to_client;
  std::uint64_t sessions = 0;     // begun
  std::vector<std::string> got;   // since the session began
  std::vector<std::string> sent;  // likewise
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
    if (end.role == Role::worker) {
      end.link.send(now, WorkerState{WorkerState::Kind::open, text}, out);
    } else {
      end.link.send(now, Calls{{}, {{1, text, {}}}}, out);
    }
    end.sent.push_back(text);
    take(end, out);
  }

  void send_to(SessionId session, const std::string& text) {
    SessionsOutput out;
    sessions->send(now, session, Drain{text}, out);
    take(out);
  }

  /// What comes over a connection that is none of those of `ends`.
  void receive(PeerId peer, const Bytes& bytes) {
    SessionsOutput out;
    sessions->receive(now, peer, "", bytes, out);
    take(out);
  }

  void end(End& end) {
    LinkOutput out;
    end.link.end(now, "done", out);
    take(end, out);
  }

  void end_session(SessionId session, Reason reason) {
    SessionsOutput out;
    sessions->end(session, {reason, "", ""}, out);
    take(out);
  }

  void end_all() {
    SessionsOutput out;
    sessions->end_all({Reason::ending, "", ""}, out);
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
  std::map<SessionId, std::vector<std::string>> got;  // texts
  std::vector<SessionEnded::Reason> over;
  bool reachable = true;
  bool loses_uplink = false;
  TimePoint expired_at{};  // when a session was over for that last
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
      if (end.peer && !loses_uplink && !loses()) end.to_server.push_back(std::move(frame));
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
        if (ended->reason == SessionEnded::Reason::expired) expired_at = now;
      } else if (const auto* message = std::get_if<SessionMessage>(&event)) {
        EXPECT_TRUE(begun.contains(message->session));
        if (const auto* state = std::get_if<WorkerState>(&message->message))
          got[message->session].push_back(state->reason);
        if (const auto* calls = std::get_if<Calls>(&message->message))
          got[message->session].push_back(calls->calls.front().bytes);
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

}  // namespace muster::wire
