// Run files, from one worker to another.
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/temp_dir.hpp>
#include <muster/cluster/job_call.hpp>
#include <muster/cluster/shuffle/run_server.hpp>
#include <muster/cluster/shuffle/run_source.hpp>
#include <muster/mapreduce/run_file.hpp>

namespace muster::cluster {
namespace {

using namespace std::chrono_literals;

class ShuffleTest : public testing::TestWithParam<bool> {
 protected:
  struct Worker {
    explicit Worker(const transport::CurveKeyPair& keys)
        : server(directory.path(), "127.0.0.1", keys) {}
    TempDir directory{default_temp_parent()};
    RunServer server;
  };

  ShuffleTest() {
    if (GetParam()) keys = transport::make_curve_keys();
  }

  Worker& add_worker() {
    workers.push_back(std::make_unique<Worker>(keys));
    places.addresses.push_back(workers.back()->server.address());
    std::filesystem::create_directories(run_directory(workers.back()->directory.path(), 7));
    return *workers.back();
  }

  /// A run with blocks of these sizes for partition 1, and others.
  void add_run(std::uint32_t worker, const std::vector<std::size_t>& sizes) {
    const std::string name = "run-1-" + std::to_string(places.runs.size());
    mapreduce::RunWriter out(file_of(worker, name));
    for (const std::size_t size : sizes) {
      out.write(0, "of another partition", 1);
      std::string block(size, '\0');
      for (std::size_t i = 0; i < size; ++i)
        block[i] = static_cast<char>((i * 31 + size + expected.size()) % 251);
      out.write(1, block, size % 17);
      expected.push_back(block);
      records += size % 17;
    }
    out.finish();
    places.runs.push_back(name);
    places.address_of_run.push_back(worker);
  }
  std::filesystem::path file_of(std::uint32_t worker, const std::string& run) const {
    return run_directory(workers[worker]->directory.path(), 7) / run;
  }

  RunPlaces of_worker(std::uint32_t own) const {
    RunPlaces out = places;
    out.job = 7;
    out.partition = 1;
    out.keys = keys;
    out.patience = 2s;
    out.own_directory = run_directory(workers[own]->directory.path(), 7);
    out.own_address = places.addresses[own];
    return out;
  }

  void expect_all(std::uint32_t own) {
    RunSource source(of_worker(own));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto block = source.next();
      ASSERT_TRUE(block.has_value()) << i;
      EXPECT_TRUE(*block == expected[i]) << i;
    }
    EXPECT_FALSE(source.next().has_value());
    EXPECT_EQ(source.records(), records);
  }

  transport::CurveKeyPair keys;
  std::vector<std::unique_ptr<Worker>> workers;
  RunPlaces places;
  std::vector<std::string> expected;
  std::uint64_t records = 0;
};

TEST_P(ShuffleTest, GivesEveryBlockInOrderWhereverItIs) {
  for (int i = 0; i < 3; ++i) add_worker();
  for (std::uint32_t i = 0; i < 40; ++i) add_run(i % 3, {1, 0, 300, 70'000});
  add_run(2, {3'500'000, 1, 1'048'576, 2'000'000});
  add_run(1, {});
  for (std::uint32_t own = 0; own < 3; ++own) expect_all(own);
  EXPECT_GT(workers[2]->server.bytes_sent(), 2U * 6'000'000);
}

TEST_P(ShuffleTest, NamesTheRunThatIsGone) {
  add_worker();
  add_worker();
  for (int i = 0; i < 4; ++i) add_run(1, {100});
  std::filesystem::remove(file_of(1, places.runs[2]));
  try {
    RunSource source(of_worker(0));
    FAIL() << "no error";
  } catch (const InputLost& lost) {
    EXPECT_EQ(lost.runs(), std::vector<std::uint32_t>{2});
    EXPECT_TRUE(lost.is_gone());
  }
}

TEST_P(ShuffleTest, NoticesADamagedBlock) {
  add_worker();
  add_worker();
  add_run(1, {5000});
  {
    std::fstream file(file_of(1, places.runs[0]), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1000);
    file.put('!');
  }
  RunSource source(of_worker(0));
  try {
    source.next();
    FAIL() << "no error";
  } catch (const InputLost& lost) {
    EXPECT_EQ(lost.runs(), std::vector<std::uint32_t>{0});
    EXPECT_TRUE(lost.is_gone());
  }
}

TEST_P(ShuffleTest, GivesUpAWorkerThatDoesNotAnswer) {
  add_worker();
  add_worker();
  add_run(1, {100});
  add_run(0, {100});
  add_run(1, {100});
  RunPlaces wanted = of_worker(0);
  wanted.patience = 300ms;
  workers.pop_back();
  try {
    RunSource source(std::move(wanted));
    FAIL() << "no error";
  } catch (const InputLost& lost) {
    EXPECT_EQ(lost.runs(), (std::vector<std::uint32_t>{0, 2}));
    EXPECT_FALSE(lost.is_gone());
    EXPECT_EQ(lost.silent(), places.addresses[1]);
  }
}

TEST_P(ShuffleTest, GivesNothingButRunFiles) {
  add_worker();
  Worker& other = add_worker();
  add_run(1, {10});
  std::ofstream(other.directory.path() / "secret") << "secret";
  for (const char* name : {"../secret", "secret", "run-1-0/../../secret", "run-", "run-1-0x"}) {
    RunPlaces wanted = of_worker(0);
    wanted.runs[0] = name;
    EXPECT_THROW(RunSource source(std::move(wanted)), InputLost) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Keys, ShuffleTest, testing::Values(false, true),
                         [](const auto& param) { return param.param ? "with" : "without"; });

TEST(ShuffleKeys, StrangersAreNotAnswered) {
  const TempDir directory(default_temp_parent());
  const RunServer server(directory.path(), "127.0.0.1", transport::make_curve_keys());
  RunPlaces wanted;
  wanted.job = 7;
  wanted.runs = {"run-1-1"};
  wanted.addresses = {server.address()};
  wanted.address_of_run = {0};
  wanted.patience = 300ms;
  for (const auto& keys : {transport::make_curve_keys(), transport::CurveKeyPair()}) {
    wanted.keys = keys;
    EXPECT_THROW(RunSource source(wanted), InputLost);
  }
  EXPECT_EQ(server.bytes_sent(), 0U);
}

}  // namespace
}  // namespace muster::cluster
