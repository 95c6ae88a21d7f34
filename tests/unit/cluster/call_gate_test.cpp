#include <set>
#include <vector>

#include <gtest/gtest.h>

#include <muster/cluster/worker/call_gate.hpp>

namespace muster::cluster {
namespace {

const wire::Digest a{1};
const wire::Digest b{2};

class CallGateTest : public ::testing::Test {
 protected:
  void hold(const wire::Digest& program, std::initializer_list<std::uint64_t> calls) {
    for (const std::uint64_t call : calls) gate.hold(program, call);
  }
  /// The calls that go in now.
  std::vector<std::uint64_t> let_in() {
    std::vector<std::uint64_t> out;
    while (const auto next = gate.next([&](const auto& each) { return !unready.contains(each); }))
      out.push_back(next->call);
    return out;
  }
  using Calls = std::vector<std::uint64_t>;

  CallGate gate{2};
  std::set<wire::Digest> unready;
};

TEST_F(CallGateTest, a_program_that_is_alone_gets_all_its_calls) {
  hold(a, {1, 2, 3, 4, 5});
  EXPECT_EQ(let_in(), (Calls{1, 2, 3, 4, 5}));
  EXPECT_FALSE(gate.blocked().has_value());
}

TEST_F(CallGateTest, of_several_each_call_waits_for_a_slot_the_oldest_first) {
  hold(a, {1, 2, 3});
  EXPECT_EQ(let_in(), (Calls{1, 2, 3}));
  hold(b, {4, 5});
  hold(a, {6});
  EXPECT_EQ(gate.excess(), 1U);
  EXPECT_EQ(let_in(), Calls{});
  EXPECT_EQ(gate.blocked(), b);
  gate.left(a, false);
  EXPECT_EQ(gate.excess(), 0U);
  EXPECT_EQ(let_in(), Calls{}) << "two are inside";
  gate.left(a, false);
  EXPECT_EQ(let_in(), Calls{4});
  EXPECT_EQ(gate.blocked(), b);
  gate.left(a, false);
  EXPECT_EQ(let_in(), (Calls{5})) << "it is the oldest; and then there is no slot";
  EXPECT_EQ(gate.blocked(), a);
  gate.left(b, false);
  EXPECT_EQ(let_in(), Calls{6});
}

TEST_F(CallGateTest, programs_that_are_not_ready_hold_up_nobody) {
  unready = {a};
  hold(a, {1, 2});
  hold(b, {3, 4, 5});
  EXPECT_EQ(let_in(), (Calls{3, 4, 5}));
  EXPECT_FALSE(gate.blocked().has_value());
  unready.clear();
  EXPECT_EQ(let_in(), Calls{});
  EXPECT_EQ(gate.blocked(), a);
}

TEST_F(CallGateTest, short_calls_wait_for_nobody_and_are_not_counted) {
  for (std::uint64_t call = 0; call < 16; ++call) {
    EXPECT_FALSE(gate.has_short_calls(a));
    hold(a, {call});
    EXPECT_EQ(let_in(), Calls{call});
    gate.left(a, true);
  }
  EXPECT_TRUE(gate.has_short_calls(a));
  hold(b, {20, 21, 22});
  EXPECT_EQ(let_in(), (Calls{20, 21, 22}));
  hold(a, {23, 24, 25});
  EXPECT_EQ(let_in(), (Calls{23, 24, 25}));
  gate.left(b, false);
  hold(b, {26});
  EXPECT_EQ(let_in(), Calls{26}) << "it is alone among those that count";
  gate.runs_on(a);
  EXPECT_FALSE(gate.has_short_calls(a));
  hold(b, {27});
  EXPECT_EQ(let_in(), Calls{});
  EXPECT_EQ(gate.blocked(), b);
}

TEST_F(CallGateTest, what_is_dropped_does_not_go_in) {
  hold(a, {1, 2});
  EXPECT_EQ(let_in(), (Calls{1, 2}));
  const auto ticket = gate.hold(b, 3);
  EXPECT_EQ(let_in(), Calls{});
  gate.drop(b, ticket);
  hold(a, {4});
  EXPECT_EQ(let_in(), Calls{4});
  gate.hold(b, 5);
  gate.clear();
  EXPECT_EQ(let_in(), Calls{});
  hold(b, {6, 7, 8});
  EXPECT_EQ(let_in(), (Calls{6, 7, 8})) << "nothing is inside any more";
}

}  // namespace
}  // namespace muster::cluster
