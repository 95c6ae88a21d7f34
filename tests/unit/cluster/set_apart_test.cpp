// Who is set apart when workers do not reach each other.
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "job_book_fixture.hpp"

namespace muster::cluster {
namespace {

using namespace std::chrono_literals;

class SetApartTest : public JobBookFixture {
 protected:
  /// What came of a reduce attempt that could not get at its runs.
  struct Told {
    std::vector<std::uint32_t> lost;  ///< map chunks
    std::vector<WorkerId> paused;
  };

  void SetUp() override {
    start_job();
    map(0, a);
    map(1, b);
    map(2, c);
  }

  /// `asking` says that it does not reach `silent`.
  Told complain(WorkerId asking, const std::string& silent) {
    JobCallEnd end;
    end.kind = JobCallEnd::Kind::input_lost;
    end.failure = {scheduling::FailureCause::input_lost, ErrorCode::io, "no answer", {}};
    end.silent = silent;
    return told(started(1, 0, asking), end);
  }
  Told complain(WorkerId asking, WorkerId silent) { return complain(asking, address_of(silent)); }
  Told told(const scheduling::StartAttempt& attempt, const JobCallEnd& end) {
    Told out;
    int failures = 0;
    for (const auto& each : book->ended(now, attempt, {0, wire::EndKind::value, encode(end)})) {
      if (const auto* const lost = std::get_if<scheduling::OutputLost>(&each)) {
        EXPECT_EQ(lost->stage, 0U);
        out.lost.push_back(lost->chunk);
      } else if (const auto* const paused = std::get_if<scheduling::WorkerPaused>(&each)) {
        out.paused.push_back(paused->worker);
      } else {
        EXPECT_EQ(std::get<scheduling::AttemptFailed>(each).cause,
                  scheduling::FailureCause::input_lost);
        ++failures;
      }
    }
    EXPECT_EQ(failures, 1) << "the attempt is over";
    return out;
  }
  void expect_nothing(const Told& told) {
    EXPECT_TRUE(told.lost.empty());
    EXPECT_TRUE(told.paused.empty());
  }
  void expect_set_apart(const Told& told, WorkerId worker, std::uint32_t with_chunk) {
    EXPECT_EQ(told.paused, std::vector{worker});
    EXPECT_EQ(told.lost, std::vector{with_chunk}) << "what it has is out of reach";
    EXPECT_TRUE(book->is_set_apart(worker));
  }
  std::vector<WorkerId> set_apart() const {
    std::vector<WorkerId> out;
    for (const WorkerId each : {a, b, c}) {
      if (book->is_set_apart(each)) out.push_back(each);
    }
    return out;
  }
  /// The time is over for which workers are set apart.
  void wait_until_it_is_over() {
    now += 60s;
    book->expire(now);
  }
};

TEST_F(SetApartTest, NobodyIsForOneComplaint) {
  expect_nothing(complain(a, b));
  EXPECT_TRUE(set_apart().empty()) << "it may be chance";
}

TEST_F(SetApartTest, WhoGivesNoAnswerIsWhenBothHaveAsMuchTrouble) {
  expect_nothing(complain(a, b));
  expect_set_apart(complain(a, b), b, 1);
  EXPECT_EQ(set_apart(), std::vector{b});
}

TEST_F(SetApartTest, WhoEverybodyComplainsOfIs) {
  expect_nothing(complain(a, b));
  expect_set_apart(complain(c, b), b, 1);
  EXPECT_EQ(set_apart(), std::vector{b});
}

TEST_F(SetApartTest, WhoComplainsOfEverybodyIsItself) {
  expect_nothing(complain(a, b));
  expect_nothing(complain(a, c));
  expect_set_apart(complain(a, b), a, 0);
  EXPECT_EQ(set_apart(), std::vector{a}) << "and nobody of those it has blamed";
}

// The broken one is blamed by those who do not reach it, and blames them.
TEST_F(SetApartTest, WhoIsCutOffFromTwoIsWhoeverSaysSo) {
  expect_nothing(complain(b, a));
  expect_set_apart(complain(a, c), a, 0);
  EXPECT_EQ(set_apart(), std::vector{a});
}

TEST_F(SetApartTest, WhatASetApartOneSaysIsNotHeard) {
  complain(a, b);
  expect_set_apart(complain(c, b), b, 1);
  for (int i = 0; i < 5; ++i) {
    expect_nothing(complain(b, a));
    expect_nothing(complain(b, c));
  }
  EXPECT_EQ(set_apart(), std::vector{b});
}

// It was running something when it was set apart: its new output is out of reach, too.
TEST_F(SetApartTest, WhatASetApartOneLeavesIsLostAtTheNextComplaint) {
  complain(a, b);
  expect_set_apart(complain(c, b), b, 1);
  const Told again = complain(a, b);
  EXPECT_TRUE(again.paused.empty()) << "it is already";
  EXPECT_EQ(again.lost, std::vector{1U});
}

TEST_F(SetApartTest, NobodyIsForSomebodyWhoIsNotThere) {
  for (int i = 0; i < 5; ++i) {
    expect_nothing(complain(a, "tcp://10.9.9.9:1"));
    expect_nothing(complain(a, ""));
  }
  left(b, "it was killed");
  for (int i = 0; i < 5; ++i) expect_nothing(complain(a, b));
  EXPECT_TRUE(set_apart().empty());
}

TEST_F(SetApartTest, NobodyIsWhoHasNothingOfTheJob) {
  const WorkerId idle{14};
  join(idle, "idle");
  for (int i = 0; i < 5; ++i) expect_nothing(complain(a, idle));
  EXPECT_FALSE(book->is_set_apart(idle)) << "so it cannot have been asked";
}

// What is gone there is lost, and the worker is none the worse for it.
TEST_F(SetApartTest, NobodyIsWhoAnswersThatItHasNothing) {
  for (int i = 0; i < 5; ++i) {
    JobCallEnd end;
    end.kind = JobCallEnd::Kind::input_lost;
    end.failure = {scheduling::FailureCause::input_lost, ErrorCode::io, "it is gone", {}};
    end.is_gone = true;
    end.runs = {1};
    const Told gone = told(started(1, 0, a), end);
    EXPECT_EQ(gone.lost, std::vector{1U});
    EXPECT_TRUE(gone.paused.empty());
  }
  EXPECT_TRUE(set_apart().empty());
}

// The one that asked when it was gone says so after the chunk was mapped again.
TEST_F(SetApartTest, WhatIsThereAgainIsNotLostForALateWord) {
  JobCallEnd end;
  end.kind = JobCallEnd::Kind::input_lost;
  end.failure = {scheduling::FailureCause::input_lost, ErrorCode::io, "it is gone", {}};
  end.is_gone = true;
  end.runs = {0, 1};
  const auto first = started(1, 0, a);
  const auto second = started(1, 1, c);
  EXPECT_EQ(told(first, end).lost, (std::vector{0U, 1U}));
  book->on(scheduling::ChunkReopened{id, 0, 1});
  map(1, b);
  EXPECT_EQ(told(second, end).lost, std::vector{0U}) << "that was not mapped again yet";
  const auto third = started(1, 1, c);
  EXPECT_EQ(told(third, end).lost, (std::vector{0U, 1U})) << "it has asked for the new one";
}

TEST_F(SetApartTest, IsOverAfterAWhile) {
  complain(a, b);
  complain(c, b);
  ASSERT_TRUE(book->is_set_apart(b));
  EXPECT_EQ(book->next_deadline(), now + 60s);
  now += 59s;
  book->expire(now);
  EXPECT_TRUE(book->take_orders().empty());
  EXPECT_TRUE(book->is_set_apart(b));
  now += 1s;
  book->expire(now);
  const auto resumed = orders<scheduling::WorkerResumed>();
  ASSERT_EQ(resumed.size(), 1U);
  EXPECT_EQ(resumed[0].worker, b);
  EXPECT_TRUE(set_apart().empty());
  EXPECT_EQ(book->next_deadline(), std::nullopt);
}

TEST_F(SetApartTest, IsOverWithItsWorker) {
  complain(a, b);
  complain(c, b);
  left(b, "it was killed");
  EXPECT_FALSE(book->is_set_apart(b));
  wait_until_it_is_over();
  EXPECT_TRUE(book->take_orders().empty()) << "there is nobody to be resumed";
}

// The network is whole again: what was before counts no more, or one complaint would do.
TEST_F(SetApartTest, WhoComesBackIsAsGoodAsTheOthers) {
  complain(a, b);
  complain(c, b);
  wait_until_it_is_over();
  expect_nothing(complain(a, b));
  expect_set_apart(complain(a, b), b, 1);
}

TEST_F(SetApartTest, WhoComesBackIsNotBlamedForAnother) {
  complain(a, b);
  complain(a, c);
  complain(a, b);
  ASSERT_EQ(set_apart(), std::vector{a});
  wait_until_it_is_over();
  expect_nothing(complain(a, b));
  expect_set_apart(complain(c, b), b, 1);
  EXPECT_EQ(set_apart(), std::vector{b}) << "the network of b is broken now, and a is well";
}

// However many do not reach each other, and whatever they say: somebody is left to do the work.
TEST_F(SetApartTest, IsNeverEverybody) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const WorkerId all[] = {a, b, c};
    for (int i = 0; i < 30; ++i) {
      const std::size_t asking = random() % 3;
      complain(all[asking], all[(asking + 1 + random() % 2) % 3]);
      ASSERT_LE(set_apart().size(), 2U) << "seed " << seed;
    }
    EXPECT_EQ(set_apart().size(), 2U) << "seed " << seed;
    wait_until_it_is_over();
    book->take_orders();
    ASSERT_TRUE(set_apart().empty());
  }
}

}  // namespace
}  // namespace muster::cluster
