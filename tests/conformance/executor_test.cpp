// submit and map: items 1 to 22, 83, 84.
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/muster.hpp>

#include "contract.hpp"
#include "tasks.hpp"

namespace muster::conformance {
namespace {

using namespace std::chrono_literals;

class SubmitAndMap : public ExecutorContract {};
MUSTER_CONTRACT_ON_ALL_KINDS(SubmitAndMap);

template <class E, class... A>
concept TakesCall = requires(E& executor, A... arguments) {
  executor.submit(arguments...);
};

TEST_P(SubmitAndMap, RunsWhatIsSubmitted) {
  covers({1});
  EXPECT_EQ(executor->submit(power, 2, 8).result(), 256);
}

std::string joined(const std::string& a, const std::vector<int>& b, std::optional<double> c) {
  std::string out = a;
  for (const int each : b) out += " " + std::to_string(each);
  return out + (c ? " and more" : " alone");
}

/// Can be moved and sent, not copied.
struct Parcel {
  Parcel() = default;
  explicit Parcel(int given) : value(given) {}
  Parcel(Parcel&&) = default;
  Parcel& operator=(Parcel&&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
  int value = 0;
};
Parcel passed_on(Parcel parcel) { return Parcel(parcel.value + 1); }

TEST_P(SubmitAndMap, PassesArgumentsOnUnchanged) {
  covers({2});
  const std::string text("a\0b", 3);
  EXPECT_EQ(executor->submit(joined, text, std::vector{1, 2}, std::optional(1.5)).result(),
            text + " 1 2 and more");
  EXPECT_EQ(executor->submit(joined, "a", std::vector<int>(), std::nullopt).result(), "a alone");
  if (kind().name == "retrying") {
    EXPECT_THROW(executor->submit(passed_on, Parcel(7)), Error) << "what cannot be copied";
  } else {
    EXPECT_EQ(executor->submit(passed_on, Parcel(7)).take().value, 8);
  }
  if (!kind().takes_anything) return;
  auto given = std::make_unique<int>(7);
  auto future = executor->submit(
      [held = std::make_unique<int>(1)](std::unique_ptr<int> x) {
        *x += *held;
        return x;
      },
      std::move(given));
  EXPECT_EQ(*std::move(future).result(), 8);
}

TEST_P(SubmitAndMap, WhatCannotBeCalledDoesNotCompile) {
  covers({3});
  static_assert(TakesCall<Executor, int (*)(int), int>);
  static_assert(!TakesCall<Executor, int>);
  static_assert(!TakesCall<Executor, int (*)(int)>, "an argument is missing");
  static_assert(!TakesCall<Executor, int (*)(int), std::string>);
  static_assert(!TakesCall<ThreadPoolExecutor, int>);
  static_assert(!TakesCall<ProcessPoolExecutor, int>);
}

TEST_P(SubmitAndMap, GoesToTheEndOfTheShortest) {
  covers({4});
  const std::vector<int> two{2, 3};
  EXPECT_EQ(collected(executor->map(power, two, std::vector{10, 2, 7, 8})), (std::vector{1024, 9}));
  EXPECT_EQ(collected(executor->map([](int a, int b, int c) { return a + b + c; }, two, two,
                                    std::list{1, 1, 1})),
            (std::vector{5, 7}));
}

TEST_P(SubmitAndMap, ChunkAndBufferSizesDoNotChangeResults) {
  covers({5, 13, 14, 84});
  const std::vector<int> inputs = numbers(50);
  std::vector<int> expected;
  for (const int each : inputs) expected.push_back(2 * each);
  for (const int chunk : {1, 2, 6, 40, 50, 1000}) {
    for (const int buffer : {1, 2, 50, 100}) {
      const MapOptions options{.chunk_size = chunk, .buffer_size = buffer};
      EXPECT_EQ(collected(executor->map(twice, inputs, options)), expected) << chunk << buffer;
      EXPECT_EQ(collected(executor->map(std::plus<>(), inputs, inputs, options)), expected);
    }
  }
  EXPECT_EQ(collected(executor->map(twice, inputs)), expected);
  EXPECT_THROW(static_cast<void>(executor->map(twice, inputs, {.chunk_size = -1})), Error);
}

TEST_P(SubmitAndMap, SizesBelowOneAreRefused) {
  covers({11, 12});
  for (const int size : {0, -1}) {
    EXPECT_THROW(static_cast<void>(executor->map(twice, numbers(3), {.chunk_size = size})), Error);
    EXPECT_THROW(static_cast<void>(executor->map(twice, numbers(3), {.buffer_size = size})), Error);
  }
}

TEST_P(SubmitAndMap, AFailureIsAtItsPlace) {
  covers({6, 7});
  for (const int chunk : {1, 3}) {
    auto results = executor->map(fails_on_three, numbers(6), {.chunk_size = chunk});
    std::vector<std::string> seen;
    for (auto at = results.begin(); at != results.end(); ++at) {
      try {
        seen.push_back(std::to_string(*at));
      } catch (const std::exception& error) {
        seen.emplace_back(error.what());
      }
    }
    ASSERT_EQ(seen.size(), 6U);
    EXPECT_NE(seen[3].find("three"), std::string::npos) << seen[3];
    seen.erase(seen.begin() + 3);
    EXPECT_EQ(seen, (std::vector<std::string>{"0", "1", "2", "4", "5"}));
  }
}

TEST_P(SubmitAndMap, ATimeoutErrorOfATaskIsNotTheMaps) {
  covers({8});
  auto results = executor->map(throws_timeout, numbers(3), {.timeout = 60s, .chunk_size = 1});
  auto at = results.begin();
  EXPECT_EQ(*at, 0);
  ++at;
  try {
    static_cast<void>(*at);
    ADD_FAILURE() << "no error";
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find("of the task's own"), std::string::npos);
  }
  ++at;
  EXPECT_EQ(*at, 2) << "the map goes on";
}

int gate_from_one_on(int number) { return number == 0 ? count(number) : pass_gate(number); }

TEST_P(SubmitAndMap, ATimeoutGivesEarlierResultsAndCancelsTheRest) {
  covers({9, 64});
  executor = make(1);
  {
    auto results = executor->map(gate_from_one_on, numbers(10), {.timeout = 1s, .chunk_size = 1});
    auto at = results.begin();
    EXPECT_EQ(*at, 0);
    EXPECT_THROW(++at, TimeoutError);
    EXPECT_TRUE(at == results.end());
  }
  shared().gate = 1;
  executor->shutdown();
  EXPECT_LE(shared().runs, 2U) << "the one at the gate, and no other";
}

TEST_P(SubmitAndMap, DroppingItCancelsTheRest) {
  covers({10});
  for (const int chunk : {1, 3}) {
    reset_shared();
    executor = make(1);
    const Future<int> busy = executor->submit(pass_gate, 99);
    ASSERT_TRUE(at_gate(1));
    {
      auto results = executor->map(count, numbers(30), {.chunk_size = chunk, .buffer_size = 15});
      static_cast<void>(results);
    }
    shared().gate = 1;
    executor->shutdown();
    EXPECT_EQ(shared().runs, 1U);
    EXPECT_EQ(busy.result(), 99);
  }
}

/// make(0), make(1), make(2), ... for ever; says how many were taken.
template <auto make>
struct EndlessOf {
  int* taken;
  struct iterator {
    using value_type = decltype(make(0));
    using difference_type = std::ptrdiff_t;
    int* taken;
    int at = 0;
    value_type operator*() const { return make(at); }
    iterator& operator++() {
      ++at;
      ++*taken;
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(std::default_sentinel_t) const { return false; }
  };
  iterator begin() const { return {taken}; }
  std::default_sentinel_t end() const { return {}; }
};

using Endless = EndlessOf<[](int number) { return number; }>;

TEST_P(SubmitAndMap, TakesAnEndlessInputLazily) {
  covers({15, 17});
  int taken = 0;
  auto results =
      executor->map([](int) { return 1; }, Endless{&taken}, {.chunk_size = 1, .buffer_size = 10});
  EXPECT_EQ(taken, 10) << "exactly the buffer";
  int seen = 0;
  for (const int each : results) {
    if ((seen += each) == 100) break;
  }
  EXPECT_LE(taken, 110);
}

TEST_P(SubmitAndMap, TakesFewInputsUntilTheFirstResultIsKnown) {
  covers({15});
  int taken = 0;
  auto results = executor->map(twice, Endless{&taken});
  EXPECT_EQ(taken, 1024);
  auto at = results.begin();
  EXPECT_EQ(*at, 0);
  ++at;
  EXPECT_GT(taken, 1024 + 1) << "more than was given";
}

constexpr std::int64_t megabyte = 1'000'000;

std::size_t size_of(const std::string& text) { return text.size(); }
std::string megabyte_of(int number) {
  return std::string(megabyte, static_cast<char>('a' + number % 26));
}

TEST_P(SubmitAndMap, TakesNoMoreThanMemoryAllows) {
  covers({15});
  int taken = 0;
  auto sizes = executor->map(size_of, EndlessOf<megabyte_of>{&taken},
                             {.chunk_size = 1, .buffer_bytes = 10 * megabyte});
  EXPECT_EQ(taken, 10);
  int seen = 0;
  for (const std::size_t each : sizes) {
    EXPECT_EQ(each, 1'000'000U);
    if (++seen == 20) break;
  }
  EXPECT_LE(taken, 20 + 10);

  taken = seen = 0;
  auto texts = executor->map(megabyte_of, Endless{&taken},
                             {.chunk_size = 1, .buffer_size = 30, .buffer_bytes = 10 * megabyte});
  EXPECT_EQ(taken, 30) << "nothing is known of the results";
  for (const std::string& each : texts) {
    ASSERT_TRUE(each == megabyte_of(seen)) << seen;
    if (++seen == 60) break;
  }
  EXPECT_LE(taken, 60 + 11);
}

TEST_P(SubmitAndMap, TakesWhatIsLargerThanItsMemoryOneByOne) {
  covers({15});
  const std::vector<std::string> inputs(5, std::string(100'000, 'x'));
  const auto sizes = collected(executor->map(size_of, inputs, {.buffer_bytes = 1}));
  EXPECT_EQ(sizes, std::vector<std::size_t>(5, 100'000));
  EXPECT_THROW(static_cast<void>(executor->map(size_of, inputs, {.buffer_bytes = 0})), Error);
}

TEST_P(SubmitAndMap, OfNothingGivesNothing) {
  covers({16});
  EXPECT_TRUE(collected(executor->map(twice, std::vector<int>())).empty());
  EXPECT_TRUE(collected(executor->map(power, numbers(3), std::vector<int>())).empty());
}

TEST_P(SubmitAndMap, ShutdownRightAfterOneMoreThanWorkersDoesNotBlock) {
  covers({18});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 3; ++i) futures.push_back(executor->submit(pass_gate, i));
  executor->shutdown(false);
  shared().gate = 1;
  executor.reset();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(0s), i);
}

/// Counts in shared memory how many of it exist, in whatever process.
struct Tracked {
  int value = 0;
  Tracked() { ++shared().runs_by_number[200]; }
  explicit Tracked(int x) : value(x) { ++shared().runs_by_number[200]; }
  Tracked(const Tracked& other) : value(other.value) { ++shared().runs_by_number[200]; }
  Tracked& operator=(const Tracked&) = default;
  ~Tracked() { --shared().runs_by_number[200]; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
  static std::uint64_t alive() { return shared().runs_by_number[200]; }
};

int value_of(const Tracked& tracked) { return tracked.value; }
int value_and_count(const Tracked& tracked) {
  ++shared().runs;
  return tracked.value;
}
int tracked_left(int) { return static_cast<int>(Tracked::alive()); }

TEST_P(SubmitAndMap, FreesArgumentsAfterTheRun) {
  covers({19, 87});
  executor = make(1);
  EXPECT_EQ(executor->submit(value_of, Tracked(3)).result(), 3);
  EXPECT_EQ(executor->submit(tracked_left, 0).result(), 0) << "in the worker and here";
  executor->submit(value_and_count, Tracked(4));  // nobody keeps the future
  ASSERT_TRUE(eventually([] { return shared().runs == 1; }));
  // Here it is freed when the reply has come, which nobody waits for.
  EXPECT_TRUE(eventually([] { return Tracked::alive() == 0; }));
  if (!kind().takes_anything) return;
  auto held = std::make_shared<int>(5);
  const std::weak_ptr<int> alive = held;
  const Future<int> done = executor->submit([held = std::move(held)] { return *held; });
  EXPECT_EQ(done.result(60s), 5);
  EXPECT_TRUE(alive.expired()) << "the function, before its future is done";
}

// Whoever drops a map has no use for its results; what runs may be in the middle of something.
TEST_P(SubmitAndMap, DroppingAMapLeavesAloneWhatRuns) {
  covers({10});
  executor = make(1);
  {
    auto results = executor->map(pass_gate, numbers(3), {.chunk_size = 1});
    ASSERT_TRUE(at_gate(1));
  }
  const Future<int> behind = executor->submit(twice, 4);
  shared().gate = 1;
  EXPECT_EQ(behind.result(60s), 8);
  EXPECT_EQ(shared().runs, 1U) << "the others never ran";
  EXPECT_EQ(shared().passed_gate, 1U) << "the first one ran to its end";
}

TEST_P(SubmitAndMap, ImpossibleNumbersOfWorkersAreRefused) {
  if (kind().is_decorator || kind().is_cluster) return;  // the pool's own
  covers({20});
  EXPECT_THROW(make(static_cast<unsigned>(-1)), Error);
  EXPECT_THROW(make(100'000), Error);
  EXPECT_GE(make(0)->max_workers(), 1U) << "0 is the number of usable processors";
}

Tracked tracked_copy(int x) { return Tracked(x); }

TEST_P(SubmitAndMap, DoesNotKeepWhatItHasGiven) {
  covers({21});
  executor = make(1);
  auto results = executor->map(tracked_copy, numbers(4), {.chunk_size = 4});
  auto at = results.begin();
  for (std::uint64_t left = 4; left > 0; --left, ++at) {
    EXPECT_EQ((*at).value, static_cast<int>(4 - left));
    EXPECT_TRUE(eventually([&] { return Tracked::alive() == left; })) << Tracked::alive();
  }
  EXPECT_TRUE(at == results.end());
}

TEST_P(SubmitAndMap, EmptyPayloadsAreResults) {
  covers({22});
  EXPECT_EQ(executor->submit([] { return std::string(); }).result(), "");
  EXPECT_EQ(executor->submit([] { return std::optional<int>(); }).result(), std::nullopt);
  EXPECT_EQ(executor->submit([] { return 0; }).result(), 0);
  const Future<void> nothing = executor->submit([] {});
  EXPECT_NO_THROW(nothing.result());
  EXPECT_EQ(nothing.exception(), nullptr);
}

TEST_P(SubmitAndMap, EachFailureIsAnObjectOfItsOwn) {
  covers({83, 107});
  const Future<int> a = executor->submit(fails_on_three, 3);
  const Future<int> good = executor->submit(fails_on_three, 2);
  const Future<int> b = executor->submit(fails_on_three, 3);
  EXPECT_NE(a.exception(), b.exception());
  EXPECT_NE(error_text(a.exception()).find("three"), std::string::npos);
  EXPECT_EQ(good.result(), 2);
}

TEST_P(SubmitAndMap, RunsWithoutBeingIterated) {
  covers({58});
  {
    auto results = executor->map(count, numbers(4));
    EXPECT_TRUE(eventually([] { return shared().runs == 4; })) << "nobody has asked for one";
    results.detach();
  }
  executor->shutdown();
  EXPECT_EQ(shared().runs, 4U);
}

TEST_P(SubmitAndMap, TenThousandTasksEach) {
  std::vector<Future<int>> futures;
  for (int i = 0; i < 10'000; ++i) futures.push_back(executor->submit(twice, i));
  long sum = 0;
  for (const auto& each : futures) sum += each.result(60s);
  EXPECT_EQ(sum, 99'990'000);
}

TEST_P(SubmitAndMap, SubmittingNeverBlocksHoweverMuchWaits) {
  covers({114});
  executor = make(1);
  std::vector<Future<int>> futures{executor->submit(pass_gate, 0)};
  for (int i = 1; i < 50'000; ++i) futures.push_back(executor->submit(twice, i));
  EXPECT_FALSE(futures.back().done());
  shared().gate = 1;
  EXPECT_EQ(futures.back().result(), 2 * 49'999);
}

}  // namespace
}  // namespace muster::conformance
