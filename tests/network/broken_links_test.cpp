// Networks that lose packets, and slow ones.
#include <chrono>
#include <string>
#include <vector>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

#include "cluster_on_network.hpp"
#include "support/reference.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;
using test::shared;

std::string twice(const std::string& text) {
  ++shared().runs;
  return text + text;
}

class BrokenLinks : public ClusterOnNetwork {
 protected:
  /// Of words in a file of that size: the same as on this machine alone.
  void expect_same_count(std::size_t bytes) {
    write("text", skewed_text(bytes, bytes));
    const std::vector<std::string> task{"run", "wordcount",    "text", "--partitions",
                                        "4",   "--chunk-size", "20K",  "-q"};
    const Finished here = muster(task);
    const Finished there = on_cluster(task);
    ASSERT_EQ(there.exit_code, 0) << there.text();
    EXPECT_GT(here.out.size(), 1000U);
    EXPECT_TRUE(here.out == there.out);
  }
};

TEST_F(BrokenLinks, ThatLosePacketsLoseNoCallAndNoWord) {
  constexpr int calls = 1000;
  start("10s");
  ClusterExecutor cluster(address(), client());
  // So that all have the program: it is large.
  std::vector<Future<void>> first;
  for (int i = 0; i < 3; ++i) first.push_back(cluster.submit(test::stay_at_gate));
  ASSERT_TRUE(eventually([] { return shared().at_gate == 3; }));
  shared().gate = 1;
  for (const auto& each : first) each.result(60s);
  network().drop_one_in(10);
  const std::string text(500, 'x');
  std::vector<Future<std::string>> futures;
  for (int i = 0; i < calls; ++i)
    futures.push_back(cluster.submit(twice, text + std::to_string(i)));
  for (int i = 0; i < calls; ++i) {
    const std::string argument = text + std::to_string(i);
    ASSERT_EQ(futures[static_cast<std::size_t>(i)].result(60s), argument + argument);
  }
  EXPECT_EQ(shared().runs, static_cast<std::uint64_t>(calls)) << "none ran twice";
  expect_same_count(500'000);
  expect_nobody_lost();
}

TEST_F(BrokenLinks, ThatAreSlowDelayAJob) {
  start("10s");
  expect_same_count(100'000);  // so that all have the plugin
  network().limit("a", "1mbit");
  expect_same_count(1'000'000);
  expect_nobody_lost();
}

}  // namespace
}  // namespace muster::testing
