// Peers that are too many, or come all at once. Each test counts what happens.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/file.hpp>

#include "cluster_of_programs.hpp"
#include "steady_work.hpp"
#include "support/proc.hpp"
#include "support/raw_peer.hpp"
#include "support/simulated_workers.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;
using test::RawPeer;
using test::SimulatedWorkers;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::size_t count_of(std::string_view what, std::string_view text) {
  std::size_t out = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++out;
  return out;
}

class Crowd : public ClusterOfPrograms {
 protected:
  /// The part of a core that the coordinator uses, over a time.
  double load_over(std::chrono::milliseconds time) {
    const auto before = test::cpu_time(coordinator().pid());
    const TimePoint start = Clock::now();
    std::this_thread::sleep_for(time);  // slow on purpose: the time that is measured over
    const auto used = test::cpu_time(coordinator().pid()) - before;
    return used / std::chrono::duration<double>(Clock::now() - start);
  }
};

TEST_F(Crowd, AtTheLimitOfOpenFilesItRefusesAndDoesNotSpin) {
  constexpr int crowd_size = 200;
  constexpr unsigned files = 64;
#ifdef MUSTER_SANITIZED
  constexpr double spinning = 0.6;  // of a core
#else
  constexpr double spinning = 0.25;
#endif
  limit_open_files(files);
  start_coordinator();
  for (const char* name : {"w1", "w2"}) start_worker(name);
  SteadyWork work(address());
  work.expect_progress();
  work.stop();  // or it would be measured
  std::vector<std::unique_ptr<RawPeer>> crowd;
  for (int i = 0; i < crowd_size; ++i) {
    // Whoever is refused may be so before its connect() has returned: it is counted below.
    crowd.push_back(std::make_unique<RawPeer>(address()));
    crowd.back()->write(RawPeer::greeting());
  }
  EXPECT_NE(await_line(coordinator(), "'ulimit -n'): more are refused"), "");
  const double load = load_over(1s);
  const auto refused = std::count_if(crowd.begin(), crowd.end(),
                                     [](const auto& each) { return each->is_closed_within(0ms); });
  std::printf("%d refused of %d; the coordinator used %.3f of a core\n", int(refused), crowd_size,
              load);
  EXPECT_LT(load, spinning);
  EXPECT_GE(refused, crowd_size - int{files});
  EXPECT_LT(refused, crowd_size) << "it was full while it was measured";
  EXPECT_LT(open_files(coordinator().pid()).size(), files - 8) << "some are left for itself";
  work.start();
  work.expect_all_right();
  crowd.clear();
  SteadyWork newcomer(address());
  newcomer.expect_all_right();
  EXPECT_NE(await_line(coordinator(), "there is room for connections again"), "");
  EXPECT_EQ(count_of("more are refused", coordinator().err()), 1U);
}

TEST_F(Crowd, WhereNoConnectionFitsACoordinatorSaysSo) {
  Command start = command("muster-coordinator", {"--bind", "tcp://127.0.0.1:*"});
  start.arguments.insert(start.arguments.begin(),
                         {"/bin/sh", "-c", "ulimit -n 32; exec \"$0\" \"$@\""});
  const Finished end = run(start);
  EXPECT_NE(end.exit_code, 0);
  EXPECT_NE(end.err.find("32 files open, too few"), std::string::npos) << end.text();
  EXPECT_NE(end.err.find("ulimit -n"), std::string::npos) << end.text();
}

TEST_F(Crowd, WorkersThatAllComeBackAtOnceAreAllLetIn) {
  constexpr unsigned count = 500;
  raise_open_files_limit();
  start_coordinator({"--lease", "1m"});
  for (const char* name : {"w1", "w2"}) start_worker(name);
  SteadyWork work(address());
  SimulatedWorkers crowd(address(), count);
  ASSERT_TRUE(eventually([&] { return crowd.connected() == count; }, 60s)) << crowd.connected();
  work.expect_progress();
  kill(coordinator_slot(), SIGKILL);
  ASSERT_TRUE(eventually([&] { return crowd.lost() >= count; }, 60s)) << "all have noticed";
  start_coordinator({"--lease", "1m"});
  const TimePoint start = Clock::now();
  ASSERT_TRUE(eventually([&] { return crowd.connected() == count; }, 60s)) << crowd.connected();
  std::printf("%u workers were back after %.2f s; the coordinator had used %.2f s of CPU time\n",
              count, seconds(Clock::now() - start), test::cpu_time(coordinator().pid()).count());
  EXPECT_LT(Clock::now() - start, 10s);
  EXPECT_EQ(crowd.sessions(), 2 * count) << "one in each life of the coordinator";
  work.expect_all_right();
  const std::string log = coordinator().err();
  EXPECT_EQ(count_of("worker 'simulated-", log), 2 * count) << "each has joined and is paused";
  for (unsigned i = 0; i < count; ++i) {
    EXPECT_EQ(count_of("worker 'simulated-" + std::to_string(i) + "' of nowhere", log), 1U) << i;
  }
}

}  // namespace
}  // namespace muster::testing
