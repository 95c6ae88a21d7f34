#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support.hpp"

namespace muster {
namespace {

using namespace std::chrono_literals;
using testing::endless;
using testing::numbers;

std::vector<int> doubled(const std::vector<int>& data) {
  std::vector<int> out;
  for (const int x : data) out.push_back(2 * x);
  return out;
}
int add_all(int sum, const std::vector<int>& data) {
  return std::accumulate(data.begin(), data.end(), sum);
}
std::string letter(int i) { return std::string(1, static_cast<char>('a' + i % 26)); }

class MapReduce : public ::testing::Test {
 protected:
  ThreadPoolExecutor pool{{.max_workers = 2}};
};

TEST_F(MapReduce, PythonGuidesPatternTwo) {
  const std::vector<std::vector<int>> chunks = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
  EXPECT_EQ(map_reduce(pool, chunks, doubled, add_all, 0), 90);
}

TEST_F(MapReduce, FoldsInTheOrderOfInputsFromInit) {
  // Subtraction with a factor: any other order or bracketing gives something else.
  const auto reduce = [](long acc, int mapped) { return (acc * 3 - mapped) % 1'000'003; };
  long expected = 7;
  for (int i = 0; i < 5000; ++i) expected = reduce(expected, i + 1);
  for (const int chunk_size : {1, 3, 64, 10000}) {
    EXPECT_EQ(map_reduce(pool, numbers(5000), [](int i) { return i + 1; }, reduce, 7L,
                         {.chunk_size = chunk_size}),
              expected);
  }
  EXPECT_EQ(map_reduce(
                pool, numbers(5000), [](int i) { return i + 1; }, reduce, 7L),
            expected);
}

TEST_F(MapReduce, GivesInitWithoutInputs) {
  EXPECT_EQ(map_reduce(pool, std::vector<int>(), letter, std::plus<>(), std::string("x")), "x");
  EXPECT_EQ(
      map_reduce(pool, std::vector<int>(), letter, associative(std::plus<>()), std::string("x")),
      "x");
}

TEST_F(MapReduce, AssociativeNeedsNotBeCommutative) {
  std::string expected = ">";
  for (int i = 0; i < 3000; ++i) expected += letter(i);
  const auto join = associative(std::plus<std::string>());
  EXPECT_EQ(map_reduce(pool, numbers(3000), letter, join, std::string(">")), expected);
  for (const int chunk_size : {1, 7, 3000, 4000}) {
    EXPECT_EQ(
        map_reduce(pool, numbers(3000), letter, join, std::string(">"), {.chunk_size = chunk_size}),
        expected);
  }
  EXPECT_EQ(map_reduce(pool, numbers(3000), letter, join, std::string(">"),
                       {.chunk_size = 100, .buffer_size = 7}),
            expected);
}

TEST_F(MapReduce, AssociativeReducesInTheTasks) {
  const auto here = std::this_thread::get_id();
  std::atomic<int> in_caller = 0;
  std::atomic<int> in_tasks = 0;
  const auto add = [&](int a, int b) {
    ++(std::this_thread::get_id() == here ? in_caller : in_tasks);
    return a + b;
  };
  const auto same = [](int i) { return i; };
  EXPECT_EQ(map_reduce(pool, numbers(1000), same, associative(add), 5, {.chunk_size = 100}),
            499505);
  EXPECT_EQ(in_caller, 10);
  EXPECT_EQ(in_tasks, 990);
}

TEST_F(MapReduce, AssociativeReducesInTheTypeOfInit) {
  const auto huge = [](int /*i*/) { return 2'000'000'000; };
  EXPECT_EQ(map_reduce(pool, numbers(4), huge, associative(std::plus<>()), 0LL, {.chunk_size = 4}),
            8'000'000'000LL);
}

TEST_F(MapReduce, MovesMappedValues) {
  const auto boxed = [](int i) { return std::make_unique<int>(i); };
  const auto add = [](std::unique_ptr<int> acc, std::unique_ptr<int> each) {
    *acc += *each;
    return acc;
  };
  EXPECT_EQ(*map_reduce(pool, numbers(100), boxed, add, std::make_unique<int>(50)), 5000);
  EXPECT_EQ(*map_reduce(pool, numbers(100), boxed, associative(add), std::make_unique<int>(50)),
            5000);
}

TEST_F(MapReduce, MovesInputsOutOfAContainerGivenAsTemporary) {
  std::vector<std::unique_ptr<int>> inputs;
  for (int i = 0; i < 100; ++i) inputs.push_back(std::make_unique<int>(i));
  const auto unboxed = [](std::unique_ptr<int> each) { return *each; };
  EXPECT_EQ(map_reduce(pool, std::move(inputs), unboxed, associative(std::plus<>()), 0), 4950);
}

TEST_F(MapReduce, LeavesTheInputsOfOthersAlone) {
  const std::vector<std::string> inputs(50, "word that is too long for a short string");
  const auto length = [](std::string word) { return word.size(); };
  EXPECT_EQ(map_reduce(pool, inputs, length, associative(std::plus<>()), std::size_t{0}), 2000U);
  EXPECT_EQ(inputs[49].size(), 40U);
}

TEST_F(MapReduce, ThrowsWhatTheFirstFailingInputThrew) {
  const auto map = [](int i) {
    if (i >= 40) throw std::invalid_argument(std::to_string(i));
    return i;
  };
  int folded = 0;
  const auto count = [&](int acc, int mapped) {
    ++folded;
    return acc + mapped;
  };
  try {
    map_reduce(pool, numbers(100), map, count, 0, {.chunk_size = 3});
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "40");
  }
  EXPECT_EQ(folded, 40);
  EXPECT_THROW(map_reduce(pool, numbers(100), map, associative(std::plus<>()), 0),
               std::invalid_argument);
}

TEST_F(MapReduce, ErrorsEndEndlessInputs) {
  std::atomic<int> taken = 0;
  const auto reduce = [](int /*acc*/, int mapped) {
    if (mapped == 500) throw std::out_of_range("500");
    return mapped;
  };
  const auto same = [](int i) { return i; };
  EXPECT_THROW(map_reduce(pool, endless(taken), same, reduce, 0, {.buffer_size = 64}),
               std::out_of_range);
  EXPECT_LE(taken, 501 + 64);
  taken = 0;
  const auto stop = [](int a, int b) {
    if (b > 1'000'000) throw std::out_of_range("enough");
    return std::max(a, b);
  };
  EXPECT_THROW(map_reduce(pool, endless(taken), same, associative(stop), 0,
                          {.chunk_size = 10, .buffer_size = 45}),
               std::out_of_range);
}

TEST_F(MapReduce, TimesOut) {
  testing::Gate gate;
  const auto map = [&](int i) {
    if (i == 3) gate.pass();
    return i;
  };
  EXPECT_THROW(
      map_reduce(pool, numbers(8), map, std::plus<>(), 0, {.timeout = 20ms, .chunk_size = 1}),
      TimeoutError);
  EXPECT_THROW(map_reduce(pool, numbers(8), map, associative(std::plus<>()), 0,
                          {.timeout = 20ms, .chunk_size = 1}),
               TimeoutError);
  gate.open();
  pool.shutdown();
}

TEST_F(MapReduce, RefusesSizesBelowOne) {
  const auto run = [&](const MapOptions& options) {
    map_reduce(pool, numbers(3), letter, associative(std::plus<>()), std::string(), options);
  };
  EXPECT_THROW(run({.chunk_size = 0}), Error);
  EXPECT_THROW(run({.chunk_size = -1}), Error);
  EXPECT_THROW(run({.buffer_size = 0}), Error);
}

// What a process pool is given must be able to travel there by its bytes.
using Travelling = detail::ReduceChunk<int (*)(int), std::plus<int>, int, int>;
static_assert(std::is_trivially_copyable_v<Travelling> && std::is_aggregate_v<Travelling>);

}  // namespace
}  // namespace muster
