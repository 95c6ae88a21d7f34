#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/wire/channel.hpp>

namespace muster::wire {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t some_type = 20;
constexpr std::uint64_t epoch = 5;

Bytes with_body(std::string_view body) {
  Bytes frame = start_frame();
  frame += body;
  return frame;
}

/// One side, with what it has received.
struct Side {
  explicit Side(const ChannelOptions& options = {}) : channel(epoch, options) {}

  void send(const std::string& body) { channel.send(now, some_type, with_body(body), out); }

  Arrival receive(const SharedFrame& bytes) {
    const FrameReading reading = read_frame(*bytes);
    EXPECT_TRUE(reading.frame.has_value());
    const Arrival arrival = channel.receive(now, *reading.frame, out);
    if (arrival == Arrival::deliver) got.emplace_back(reading.frame->body);
    return arrival;
  }

  std::vector<SharedFrame> take() { return std::exchange(out, {}); }

  TimePoint now{};
  Channel channel;
  std::vector<SharedFrame> out;
  std::vector<std::string> got;
};

/// Passes on what lies ready in both directions until nothing does.
void exchange(Side& a, Side& b) {
  while (!a.out.empty() || !b.out.empty()) {
    for (const SharedFrame& frame : a.take()) b.receive(frame);
    for (const SharedFrame& frame : b.take()) a.receive(frame);
  }
}

TEST(Channel, delivers_in_order_and_sends_nothing_twice) {
  Side a;
  Side b;
  for (int i = 0; i < 3; ++i) a.send(std::to_string(i));
  const auto frames = a.take();
  ASSERT_EQ(frames.size(), 3U);
  for (const SharedFrame& frame : frames) EXPECT_EQ(b.receive(frame), Arrival::deliver);
  EXPECT_EQ(b.got, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(a.channel.unacknowledged(), 3U);
  EXPECT_EQ(a.channel.sent_again(), 0U);
}

TEST(Channel, acknowledges_with_what_goes_the_other_way) {
  Side a;
  Side b;
  a.send("question");
  b.receive(a.take().front());
  b.send("answer");
  const auto frames = b.take();
  ASSERT_EQ(frames.size(), 1U);
  a.receive(frames.front());
  EXPECT_EQ(a.channel.unacknowledged(), 0U);
  EXPECT_EQ(a.channel.next_deadline(), a.now + ChannelOptions().acknowledge_after);
}

TEST(Channel, acknowledges_by_itself_after_a_while_or_so_many) {
  Side a(ChannelOptions{.acknowledge_every = 3});
  Side b(ChannelOptions{.acknowledge_after = 20ms, .acknowledge_every = 3});
  for (int i = 0; i < 3; ++i) a.send("x");
  for (const SharedFrame& frame : a.take()) b.receive(frame);
  EXPECT_EQ(b.out.size(), 1U);
  EXPECT_FALSE(b.channel.next_deadline().has_value());
  exchange(a, b);
  EXPECT_EQ(a.channel.unacknowledged(), 0U);

  a.send("y");
  b.receive(a.take().front());
  EXPECT_EQ(b.channel.next_deadline(), b.now + 20ms);
  b.now += 20ms;
  b.channel.expire(b.now, b.out);
  exchange(a, b);
  EXPECT_EQ(a.channel.unacknowledged(), 0U);
  EXPECT_FALSE(a.channel.next_deadline().has_value());
}

TEST(Channel, repeats_at_once_what_is_missed) {
  Side a;
  Side b;
  for (int i = 0; i < 4; ++i) a.send(std::to_string(i));
  const auto frames = a.take();
  b.receive(frames[0]);
  EXPECT_EQ(b.receive(frames[2]), Arrival::early);
  EXPECT_EQ(b.receive(frames[3]), Arrival::early);
  EXPECT_EQ(b.out.size(), 1U) << "it is said once";
  exchange(a, b);
  EXPECT_EQ(b.got, (std::vector<std::string>{"0", "1", "2", "3"}));
  EXPECT_EQ(a.channel.sent_again(), 3U);
}

TEST(Channel, everything_is_repeated_once_for_one_reason) {
  Side a;
  for (int i = 0; i < 100; ++i) a.send(std::to_string(i));
  a.take();
  Bytes bytes = start_frame();
  finish_frame(bytes, {.type = Channel::missing, .epoch = epoch});
  const auto missing = std::make_shared<const Bytes>(bytes);
  for (int i = 0; i < 10; ++i) a.receive(missing);
  EXPECT_EQ(a.take().size(), 100U);
  a.now += 1s;
  a.receive(missing);
  EXPECT_EQ(a.take().size(), 100U) << "it may have been lost again";
}

TEST(Channel, answers_to_no_question_lead_to_nothing) {
  Side a;
  a.send("x");
  a.take();
  Bytes bytes = start_frame();
  ByteWriter(bytes).fixed(std::uint64_t{1});
  finish_frame(bytes, {.type = Channel::answer, .epoch = epoch});
  a.receive(std::make_shared<const Bytes>(bytes));
  EXPECT_TRUE(a.out.empty());
}

TEST(Channel, has_room_for_so_many_frames) {
  Side a(ChannelOptions{.unacknowledged_frames_max = 2});
  a.send("1");
  EXPECT_TRUE(a.channel.has_room());
  a.send("2");
  EXPECT_FALSE(a.channel.has_room());
}

TEST(Channel, takes_what_is_repeated_once) {
  Side a;
  Side b;
  a.send("x");
  const auto frames = a.take();
  EXPECT_EQ(b.receive(frames[0]), Arrival::deliver);
  EXPECT_EQ(b.receive(frames[0]), Arrival::repeated);
  EXPECT_EQ(b.got.size(), 1U);
}

TEST(Channel, asks_when_the_last_ones_were_lost) {
  Side a(ChannelOptions{.ask_after = 1s, .ask_after_max = 3s});
  Side b;
  a.send("lost");
  a.take();
  std::vector<Duration> asked;
  for (int i = 0; i < 3; ++i) {
    const TimePoint before = a.now;
    a.now = a.channel.next_deadline().value();
    asked.push_back(a.now - before);
    a.channel.expire(a.now, a.out);
    ASSERT_EQ(a.out.size(), 1U) << "a question, and nothing again on suspicion";
    if (i < 2) a.take();
  }
  EXPECT_EQ(asked, (std::vector<Duration>{1s, 2s, 3s}));
  exchange(a, b);
  EXPECT_EQ(b.got, std::vector<std::string>{"lost"});
}

TEST(Channel, answers_of_a_slow_line_lead_to_nothing_again) {
  Side a;
  Side b;
  a.send("first");
  a.now += 1s;
  a.channel.expire(a.now, a.out);
  a.send("second");
  exchange(a, b);  // first, the question, second: all arrive
  EXPECT_EQ(b.got.size(), 2U);
  EXPECT_EQ(a.channel.sent_again(), 0U);
}

TEST(Channel, refuses_other_epochs) {
  Side a;
  a.send("x");
  Channel other(epoch + 1);
  std::vector<SharedFrame> out;
  const SharedFrame bytes = a.take().front();
  EXPECT_EQ(other.receive(TimePoint{}, *read_frame(*bytes).frame, out), Arrival::stale);
  EXPECT_EQ(other.received(), 0U);
  EXPECT_TRUE(out.empty());
}

TEST(Channel, goes_on_after_a_new_connection) {
  Side a;
  Side b;
  for (int i = 0; i < 3; ++i) a.send(std::to_string(i));
  b.receive(a.take().front());
  b.take();
  ASSERT_TRUE(a.channel.resume(a.now, b.channel.received(), a.out));
  EXPECT_EQ(a.out.size(), 2U);
  exchange(a, b);
  EXPECT_EQ(b.got, (std::vector<std::string>{"0", "1", "2"}));
}

TEST(Channel, does_not_go_on_with_somebody_else) {
  Side a;
  Side b;
  a.send("0");
  EXPECT_FALSE(a.channel.resume(a.now, 2, a.out)) << "it was never sent so much";
  exchange(a, b);
  b.now += 1s;
  b.channel.expire(b.now, b.out);
  exchange(a, b);
  ASSERT_EQ(a.channel.unacknowledged(), 0U);
  EXPECT_FALSE(a.channel.resume(a.now, 0, a.out)) << "it has forgotten what it had acknowledged";
  EXPECT_TRUE(a.channel.resume(a.now, 1, a.out));
}

TEST(Channel, uncounted_messages_are_delivered_and_not_kept) {
  Side a;
  Side b;
  const SharedFrame beat = a.channel.make_uncounted(some_type, with_body("beat"));
  EXPECT_EQ(b.receive(beat), Arrival::deliver);
  EXPECT_EQ(b.receive(beat), Arrival::deliver);
  EXPECT_EQ(a.channel.unacknowledged(), 0U);
  EXPECT_TRUE(b.out.empty());
}

TEST(Channel, has_room_for_so_many_bytes) {
  Side a(ChannelOptions{.unacknowledged_bytes_max = 1000});
  Side b;
  a.send(std::string(900, 'x'));
  EXPECT_TRUE(a.channel.has_room());
  a.send(std::string(100, 'x'));
  EXPECT_FALSE(a.channel.has_room());
  for (const SharedFrame& frame : a.take()) b.receive(frame);
  b.send("thanks");
  exchange(a, b);
  EXPECT_TRUE(a.channel.has_room());
}

TEST(Channel, a_body_that_is_too_long_leaves_no_gap) {
  Side a;
  Side b;
  EXPECT_THROW(a.send(std::string(body_bytes_max + 1, 'x')), Error);
  a.send("x");
  exchange(a, b);
  EXPECT_EQ(b.got, std::vector<std::string>{"x"});
}

TEST(Channel, own_messages_that_make_no_sense_are_corrupt) {
  struct Odd {
    std::uint16_t type;
    const char* body;
  };
  for (const Odd& odd : {Odd{Channel::ask, "short"}, Odd{Channel::answer, "too long for it"},
                         Odd{Channel::missing, "x"}, Odd{Channel::acknowledge, "x"},
                         Odd{Channel::first_free_type - 1, ""}}) {
    Bytes bytes = with_body(odd.body);
    finish_frame(bytes, {.type = odd.type, .epoch = epoch});
    Channel channel(epoch);
    std::vector<SharedFrame> out;
    EXPECT_THROW(channel.receive(TimePoint{}, *read_frame(bytes).frame, out), Error) << odd.type;
  }
}

/// Frames on the way from one side to the other, some of which the line loses, repeats or lets
/// overtake each other.
class Line {
 public:
  Line(Random& random, Side& from, Side& to) : random_(random), from_(from), to_(to) {}

  void carry(bool faulty) {
    for (SharedFrame& frame : from_.take()) {
      const std::uint64_t what = faulty ? random_.below(10) : 9;
      if (what == 0) {
        ++lost;
      } else {
        if (what == 1) frames_.push_back(frame);
        frames_.push_back(std::move(frame));
      }
      if (what == 2) std::swap(frames_.back(), frames_[random_.below(frames_.size())]);
    }
    for (std::uint64_t i = random_.below(8); i > 0 && !frames_.empty(); --i) {
      to_.receive(frames_.front());
      frames_.pop_front();
    }
  }

  void cut() { frames_.clear(); }
  bool empty() const { return frames_.empty() && from_.out.empty(); }
  std::uint64_t lost = 0;

 private:
  Random& random_;
  Side& from_;
  Side& to_;
  std::deque<SharedFrame> frames_;
};

/// Lets time pass until something is due.
void wait_for_something(Side& a, Side& b, TimePoint& now) {
  const auto first = [&](const Side& side) {
    return side.channel.next_deadline().value_or(TimePoint::max());
  };
  const TimePoint next = std::min(first(a), first(b));
  if (next == TimePoint::max()) return;
  now = a.now = b.now = std::max(now, next);
  for (Side* side : {&a, &b}) side->channel.expire(now, side->out);
}

TEST(Channel, loses_and_repeats_nothing_on_lines_that_do) {
  std::uint64_t lost = 0;
  std::uint64_t resumed = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    Side a;
    Side b;
    Line there(random, a, b);
    Line back(random, b, a);
    TimePoint now{};
    std::vector<std::string> to_b;
    std::vector<std::string> to_a;
    const auto is_done = [&] {
      return there.empty() && back.empty() && a.channel.unacknowledged() == 0 &&
             b.channel.unacknowledged() == 0;
    };
    for (int step = 0; step < 300 || !is_done(); ++step) {
      ASSERT_LT(step, 5000) << "seed " << seed;
      const bool faulty = step < 300;
      if (faulty && random.chance(0.3)) a.send(to_b.emplace_back(std::to_string(step)));
      if (faulty && random.chance(0.2)) b.send(to_a.emplace_back(std::to_string(step)));
      there.carry(faulty);
      back.carry(faulty);
      if (faulty && random.chance(0.02)) {
        there.cut();
        back.cut();
        ASSERT_TRUE(a.channel.resume(now, b.channel.received(), a.out));
        ASSERT_TRUE(b.channel.resume(now, a.channel.received(), b.out));
        ++resumed;
      }
      if (there.empty() && back.empty()) wait_for_something(a, b, now);
    }
    ASSERT_EQ(b.got, to_b) << "seed " << seed;
    ASSERT_EQ(a.got, to_a) << "seed " << seed;
    lost += there.lost + back.lost;
  }
  EXPECT_GT(lost, 1000U);
  EXPECT_GT(resumed, 500U);
}

}  // namespace
}  // namespace muster::wire
