#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/launch/keeper.hpp>

#include "time_of_test.hpp"

namespace muster::launch {
namespace {

using namespace std::chrono_literals;
using State = Pilot::State;

class FakeLauncher final : public Launcher {
 public:
  void check() override {}
  void start(unsigned count) override {
    starts.push_back(count);
    if (refuses) throw Error(ErrorCode::usage, "no more of that");
    for (unsigned i = 0; i < count; ++i) all.push_back({std::to_string(next++), born, {}, {}});
  }
  std::vector<Pilot> pilots() override {
    if (is_silent) throw Error(ErrorCode::broken, "no answer");
    return all;
  }
  void drain(const std::vector<Pilot>& which) override {
    for (const Pilot& each : which) drained.push_back(each.id);
  }
  void end_all(Duration /*grace*/) override { all.clear(); }
  Duration poll_interval() const override { return 1s; }

  void lose(const std::string& id) {
    std::erase_if(all, [&](const Pilot& each) { return each.id == id; });
  }
  void set(const std::string& id, State state) {
    for (Pilot& each : all) {
      if (each.id == id) each.state = state;
    }
  }

  std::vector<Pilot> all;
  std::vector<unsigned> starts;
  std::vector<std::string> drained;
  State born = State::running;
  unsigned next = 1;
  bool is_silent = false;
  bool refuses = false;
};

class KeeperTest : public ::testing::Test {
 protected:
  KeeperOptions options(unsigned wanted) {
    return {.wanted = wanted, .adapt = {}, .log = [this](const std::string& line) {
              lines.push_back(line);
            }};
  }
  FakeLauncher launcher;
  std::vector<std::string> lines;
};

TEST_F(KeeperTest, StartsWhatIsMissingAndReplacesWhatEnds) {
  Keeper keeper(launcher, options(3));
  keeper.round(start);
  EXPECT_EQ(launcher.starts, (std::vector<unsigned>{3}));
  keeper.round(start + 1min);
  launcher.lose("2");
  keeper.round(start + 2min);
  launcher.set("1", State::ending);
  keeper.round(start + 4min);
  EXPECT_EQ(launcher.starts, (std::vector<unsigned>{3, 1, 1}));
  EXPECT_TRUE(launcher.drained.empty());
}

TEST_F(KeeperTest, PendingAndUnknownOnesCount) {
  launcher.born = State::pending;
  Keeper keeper(launcher, options(2));
  keeper.round(start);
  launcher.set("1", State::unknown);
  for (int i = 1; i < 100; ++i) keeper.round(start + i * 1min);
  EXPECT_EQ(launcher.starts, (std::vector<unsigned>{2}));
}

TEST_F(KeeperTest, WhoDoesNotAnswerIsNotTakenForGone) {
  Keeper keeper(launcher, options(2));
  keeper.round(start);
  launcher.is_silent = true;
  for (int i = 1; i < 10; ++i) keeper.round(start + i * 1min);
  launcher.is_silent = false;
  keeper.round(start + 11min);
  EXPECT_EQ(launcher.starts, (std::vector<unsigned>{2}));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "no answer"), 1) << "said once";
}

TEST_F(KeeperTest, RefusedStartsAreTriedMoreAndMoreSeldom) {
  launcher.refuses = true;
  Keeper keeper(launcher, options(2));
  for (Duration at = 0s; at < 10min; at += 1s) keeper.round(start + at);
  EXPECT_GE(launcher.starts.size(), 8U);
  EXPECT_LE(launcher.starts.size(), 12U);
  launcher.refuses = false;
  for (Duration at = 10min; at < 16min; at += 1s) keeper.round(start + at);
  EXPECT_EQ(launcher.all.size(), 2U);
}

TEST_F(KeeperTest, AdaptsToTheLoad) {
  Load load{8, 0};
  KeeperOptions adaptive = options(1);
  adaptive.adapt = AdaptPolicy::Options{.min = 1, .max = 4, .slots_per_worker = 2};
  adaptive.load = [&] { return load; };
  Keeper keeper(launcher, adaptive);
  keeper.round(start);
  EXPECT_EQ(launcher.all.size(), 4U);
  launcher.set("2", State::pending);
  load.open_calls = 0;
  for (int i = 1; i < 200; ++i) keeper.round(start + i * 1s);
  EXPECT_EQ(launcher.drained, (std::vector<std::string>{"3", "4", "2"})) << "each once";
  for (const char* each : {"2", "3", "4"}) launcher.lose(each);
  keeper.round(start + 300s);
  EXPECT_EQ(launcher.starts, (std::vector<unsigned>{4})) << "those are not replaced";
  EXPECT_NE(std::find(lines.begin(), lines.end(), "1 workers are wanted"), lines.end());
}

TEST_F(KeeperTest, AWorkerThatComesBackIsOneTooMany) {
  Keeper keeper(launcher, options(2));
  keeper.round(start);
  launcher.all.push_back({"back", State::running, {}, {}});
  keeper.round(start + 1min);
  keeper.round(start + 2min);
  EXPECT_EQ(launcher.drained, (std::vector<std::string>{"back"}));
}

}  // namespace
}  // namespace muster::launch
