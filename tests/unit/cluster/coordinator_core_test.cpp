#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/temp_dir.hpp>
#include <muster/cluster/coordinator/coordinator_core.hpp>
#include <muster/wire/link.hpp>

namespace muster::cluster {
namespace {

using namespace std::chrono_literals;

/// A coordinator's core with the links of others, on a clock that the test turns.
class CoordinatorCoreTest : public testing::Test {
 protected:
  struct End {
    wire::PeerId peer;
    wire::Link link;
    std::vector<wire::Message> messages;
  };

  End& join(wire::Role role, const std::string& name, std::uint32_t slots = 1,
            std::uint32_t ahead = 0) {
    const std::uint64_t number = ends.size() + 1;
    wire::Hello hello;
    hello.role = role;
    hello.instance = number;
    hello.name = name;
    if (role == wire::Role::worker) hello.room = wire::WorkerRoom{slots, ahead, 0};
    End& end =
        ends.try_emplace(number, End{{number}, wire::Link(hello, {}, number), {}}).first->second;
    wire::LinkOutput out;
    end.link.start(now, out);
    end.link.opened(now, out);
    pass_on(end, out);
    settle();
    return end;
  }

  void pass_on(End& end, wire::LinkOutput& out) {
    for (const auto& frame : out.frames) core.receive(now, end.peer, "", *frame);
    for (wire::Message& each : out.messages) end.messages.push_back(std::move(each));
    if (out.heartbeat_due) {
      wire::LinkOutput beat;
      end.link.beat(now, {}, beat);
      for (const auto& frame : beat.frames) core.receive(now, end.peer, "", *frame);
    }
  }

  /// Until nobody has anything to say.
  void settle() {
    for (auto frames = core.take_frames(now); !frames.empty(); frames = core.take_frames(now)) {
      for (const auto& [peer, frame] : frames) {
        const auto found = ends.find(peer.value);
        if (found == ends.end() || silent.contains(peer.value)) continue;
        wire::LinkOutput out;
        found->second.link.receive(now, *frame, out);
        pass_on(found->second, out);
      }
    }
  }

  template <class M>
  void say(End& end, const M& message) {
    wire::LinkOutput out;
    end.link.send(now, message, out);
    pass_on(end, out);
    settle();
  }

  void pass(Duration time) {
    const TimePoint until = now + time;
    while (now < until) {
      now += 100ms;
      for (auto& [number, end] : ends) {
        if (silent.contains(number)) continue;
        wire::LinkOutput out;
        end.link.expire(now, out);
        pass_on(end, out);
      }
      core.expire(now);
      settle();
    }
  }

  template <class M>
  static std::vector<M> taken(End& end) {
    std::vector<M> out;
    std::erase_if(end.messages, [&](wire::Message& each) {
      auto* const wanted = std::get_if<M>(&each);
      if (wanted != nullptr) out.push_back(std::move(*wanted));
      return wanted != nullptr;
    });
    return out;
  }
  static std::vector<wire::Call> calls_of(End& end) {
    std::vector<wire::Call> out;
    for (wire::Calls& each : taken<wire::Calls>(end))
      out.insert(out.end(), each.calls.begin(), each.calls.end());
    return out;
  }
  static std::vector<wire::CallEnd> ends_of(End& end) {
    std::vector<wire::CallEnd> out;
    for (wire::Ends& each : taken<wire::Ends>(end))
      out.insert(out.end(), each.ends.begin(), each.ends.end());
    return out;
  }
  wire::Calls calls(std::uint64_t first, std::uint64_t count) const {
    wire::Calls out;
    for (std::uint64_t i = 0; i < count; ++i) out.calls.push_back({first + i, "x", std::nullopt});
    return out;
  }

  TempDir directory{default_temp_parent()};
  CodeStore store{directory.path() / "code"};
  TimePoint now{1h};
  Journal journal{":memory:"};
  CoordinatorCore core{now, {}, store, journal};
  std::map<std::uint64_t, End> ends;
  std::set<std::uint64_t> silent;
};

TEST_F(CoordinatorCoreTest, gives_calls_to_workers_and_their_ends_to_clients) {
  End& worker = join(wire::Role::worker, "w", 2);
  End& client = join(wire::Role::client, "c");
  say(client, calls(10, 3));
  const auto got = calls_of(worker);
  ASSERT_EQ(got.size(), 2U) << "as many as it has slots";
  say(worker, wire::Ends{{{got[0].number, wire::EndKind::value, "one"}}});
  EXPECT_EQ(calls_of(worker).size(), 1U);
  const auto answered = ends_of(client);
  ASSERT_EQ(answered.size(), 1U);
  EXPECT_EQ(answered[0].number, 10U);
  EXPECT_EQ(answered[0].bytes, "one");
  EXPECT_EQ(core.open_calls(), 2U);
}

TEST_F(CoordinatorCoreTest, believes_only_the_worker_that_has_the_attempt_and_once) {
  End& worker = join(wire::Role::worker, "w");
  End& other = join(wire::Role::worker, "other");
  End& client = join(wire::Role::client, "c");
  say(client, calls(1, 1));
  End& has = worker.messages.empty() ? other : worker;
  End& has_not = worker.messages.empty() ? worker : other;
  const std::uint64_t attempt = calls_of(has).at(0).number;
  say(has_not, wire::Ends{{{attempt, wire::EndKind::value, "a lie"}}});
  EXPECT_TRUE(ends_of(client).empty());
  say(has, wire::Ends{{{attempt, wire::EndKind::value, "true"},
                       {attempt, wire::EndKind::value, "again"}}});
  const auto answered = ends_of(client);
  ASSERT_EQ(answered.size(), 1U);
  EXPECT_EQ(answered[0].bytes, "true");
}

TEST_F(CoordinatorCoreTest, runs_the_calls_of_a_lost_worker_elsewhere) {
  End& lost = join(wire::Role::worker, "lost", 1, 3);
  End& client = join(wire::Role::client, "c");
  wire::Calls mixed = calls(1, 3);
  mixed.calls[2].options = wire::CallOptions{.worker_retries = 0};
  say(client, mixed);
  ASSERT_EQ(calls_of(lost).size(), 3U);
  silent.insert(lost.peer.value);
  pass(12s);
  const auto answered = ends_of(client);
  ASSERT_EQ(answered.size(), 1U) << "the one that may not run again";
  EXPECT_EQ(answered[0].number, 3U);
  EXPECT_EQ(answered[0].kind, wire::EndKind::worker_lost);
  End& fresh = join(wire::Role::worker, "fresh", 4);
  EXPECT_EQ(calls_of(fresh).size(), 2U);
  EXPECT_EQ(core.counters().workers_lost, 1U);
}

TEST_F(CoordinatorCoreTest, charges_nothing_for_calls_that_a_lost_worker_never_got) {
  End& client = join(wire::Role::client, "c");
  std::vector<End*> workers;
  for (int i = 0; i < 6; ++i) workers.push_back(&join(wire::Role::worker, "w" + std::to_string(i)));
  say(client, calls(1, 1));
  for (End* each : workers) silent.insert(each->peer.value);
  pass(12s);
  EXPECT_TRUE(ends_of(client).empty()) << "it was with one of them";
  End& fresh = join(wire::Role::worker, "fresh");
  const auto got = calls_of(fresh);
  ASSERT_EQ(got.size(), 1U);
  say(fresh, wire::Ends{{{got[0].number, wire::EndKind::value, "late"}}});
  EXPECT_EQ(ends_of(client).size(), 1U);
}

TEST_F(CoordinatorCoreTest, cancels_what_waits_and_stops_what_runs) {
  End& worker = join(wire::Role::worker, "w");
  End& client = join(wire::Role::client, "c");
  say(client, calls(1, 3));
  const std::uint64_t attempt = calls_of(worker).at(0).number;
  using How = wire::Withdrawals::How;
  say(client, wire::Withdrawals{{{1, How::stop}, {2, How::recall}, {99, How::stop}}});
  const auto answered = ends_of(client);
  ASSERT_EQ(answered.size(), 2U);
  EXPECT_EQ(answered[0].kind, wire::EndKind::cancelled);
  EXPECT_EQ(answered[1].kind, wire::EndKind::cancelled);
  const auto told = taken<wire::Withdrawals>(worker);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].withdrawals.at(0).number, attempt);
  EXPECT_EQ(told[0].withdrawals.at(0).how, How::stop);
  EXPECT_TRUE(calls_of(worker).empty()) << "the slot is taken until it says so";
  say(worker, wire::Ends{{{attempt, wire::EndKind::cancelled, ""}}});
  EXPECT_EQ(calls_of(worker).size(), 1U);
}

TEST_F(CoordinatorCoreTest, ends_all_of_a_client_that_goes) {
  End& worker = join(wire::Role::worker, "w");
  End& client = join(wire::Role::client, "c");
  say(client, calls(1, 3));
  ASSERT_EQ(calls_of(worker).size(), 1U);
  wire::LinkOutput out;
  client.link.end(now, "done", out);
  pass_on(client, out);
  settle();
  EXPECT_EQ(core.open_calls(), 0U);
  EXPECT_EQ(core.clients(), 0U);
  EXPECT_EQ(taken<wire::Withdrawals>(worker).size(), 1U);
}

// Each fits into a message; what is made of them for others would not.
TEST_F(CoordinatorCoreTest, forwards_much_in_parts) {
  End& worker = join(wire::Role::worker, "w");
  End& client = join(wire::Role::client, "c");
  say(client, calls(1, 1));
  const std::uint64_t attempt = calls_of(worker).at(0).number;
  constexpr std::size_t many = 1'500'000;
  for (int i = 0; i < 2; ++i) {
    say(client, wire::Withdrawals{std::vector<wire::Withdrawals::Withdrawal>(
                    many, {1, wire::Withdrawals::How::recall})});
    say(worker, wire::Starts{std::vector<std::uint64_t>(many, attempt)});
  }
  EXPECT_EQ(taken<wire::Starts>(client).size(), 1U) << "said once";
  wire::Calls large;
  large.calls.push_back({7, std::string(wire::call_bytes_max + 1, 'x'), std::nullopt});
  say(client, large);
  const auto answered = ends_of(client);
  ASSERT_EQ(answered.size(), 1U);
  EXPECT_EQ(answered[0].kind, wire::EndKind::refused);
}

// The free slot of another worker is for the next one then.
TEST_F(CoordinatorCoreTest, what_was_recalled_too_late_is_made_up_for) {
  End& busy = join(wire::Role::worker, "busy", 1, 100);
  End& client = join(wire::Role::client, "c");
  say(client, calls(1, 3));
  const std::vector<wire::Call> sent = calls_of(busy);
  ASSERT_EQ(sent.size(), 3U);
  const auto recalled = [&] {
    std::vector<std::uint64_t> out;
    for (const wire::Withdrawals& each : taken<wire::Withdrawals>(busy)) {
      for (const auto& one : each.withdrawals) out.push_back(one.number);
    }
    return out;
  };
  End& idle = join(wire::Role::worker, "idle");
  EXPECT_EQ(recalled(), std::vector{sent[2].number});
  say(busy, wire::Starts{{sent[2].number, sent[2].number}});
  EXPECT_EQ(recalled(), std::vector{sent[1].number});
  say(busy, wire::Ends{{{sent[1].number, wire::EndKind::returned, ""}}});
  EXPECT_EQ(calls_of(idle).size(), 1U);
}

TEST_F(CoordinatorCoreTest, keeps_nothing_of_what_has_ended) {
  End& worker = join(wire::Role::worker, "w", 1, 100);
  End& client = join(wire::Role::client, "c");
  for (std::int32_t priority = 0; priority < 100; ++priority) {
    wire::Calls one = calls(static_cast<std::uint64_t>(priority), 1);
    one.calls[0].options = wire::CallOptions{.priority = priority};
    say(client, one);
    for (const wire::Call& each : calls_of(worker))
      say(worker, wire::Ends{{{each.number, wire::EndKind::value, ""}}});
  }
  EXPECT_EQ(ends_of(client).size(), 100U);
  EXPECT_EQ(core.open_calls(), 0U);
  EXPECT_LE(core.streams(), 17U) << "a few that may take more";
}

}  // namespace
}  // namespace muster::cluster
