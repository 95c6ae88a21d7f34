#include <array>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/executors/process_pool.hpp>
#include <muster/executors/thread_pool.hpp>

#include "support.hpp"

// Calls with arguments and results of all kinds, and what becomes of those that cannot be encoded.

namespace muster::test {
namespace {

using namespace std::chrono_literals;

enum class Colour : std::uint8_t { red, green };

struct Point {
  double x = 0;
  int y = 0;
  friend bool operator==(const Point&, const Point&) = default;
};

struct Named {
  std::string name;
  std::vector<int> numbers;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, numbers);
  }
  std::size_t count(std::size_t more) const { return numbers.size() + more; }
  friend bool operator==(const Named&, const Named&) = default;
};

struct MoveOnly {
  std::string text;
  MoveOnly() = default;
  explicit MoveOnly(std::string value) : text(std::move(value)) {}
  MoveOnly(MoveOnly&&) = default;
  MoveOnly& operator=(MoveOnly&&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(text);
  }
};

struct Large {
  std::array<char, 8192> bytes{};
};

using Everything =
    std::tuple<bool, char, Colour, Point, std::string, std::vector<int>, std::vector<std::string>,
               std::vector<bool>, std::optional<int>, std::variant<int, std::string>,
               std::pair<int, std::string>, std::array<int, 3>, std::chrono::milliseconds, Named>;

template <class T>
T same(T value) {
  return value;
}

template <class... T>
std::tuple<T...> gather(T... values) {
  return {std::move(values)...};
}

template <class... T>
auto gather_as(const std::tuple<T...>&) {
  return &gather<T...>;
}

MoveOnly wrap(std::string text) { return MoveOnly(std::move(text)); }
std::size_t length(const char* text) { return std::string_view(text).size(); }
void count_run(int number) { ++shared().runs_by_number[number]; }
int checked_root(int square) {
  if (square < 0) throw std::domain_error("negative");
  int root = 0;
  while (root * root < square) ++root;
  return root;
}
pid_t pid_of_task() { return ::getpid(); }
std::size_t size_of_large(Large large) { return large.bytes.size(); }

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 31) >> 3);
  return out;
}

ErrorCode code_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return known.code();
  }
}

class TypedCallTest : public PoolTest {};

TEST_F(TypedCallTest, FunctionsOfALibraryLoadedLaterAreRefused) {
  const std::unique_ptr<void, int (*)(void*)> library(
      ::dlopen(MUSTER_LATE_LIBRARY, RTLD_NOW | RTLD_LOCAL), &::dlclose);
  ASSERT_NE(library, nullptr) << ::dlerror();
  const auto add_one = reinterpret_cast<int (*)(int)>(::dlsym(library.get(), "add_one_late"));
  const auto submit = reinterpret_cast<void (*)(Executor&, Future<int>&)>(
      ::dlsym(library.get(), "submit_from_late_library"));
  ProcessPoolExecutor pool({.max_workers = 1});
  Future<int> from_library;
  submit(pool, from_library);
  for (const auto& future : {pool.submit(add_one, 1), from_library}) {
    try {
      future.result();
      ADD_FAILURE() << "it was called";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_NE(error.hint().find("muster::init()"), std::string::npos);
    }
  }
  EXPECT_EQ(pool.submit(length, "the process lives").result(), 17U);
}

TEST_F(TypedCallTest, EveryKindOfValueArrivesUnchanged) {  // 1, 2
  ProcessPoolExecutor pool({.max_workers = 2});
  const Everything all{
      true,          'x', Colour::green, {0.5, 3},    "text",    {1, 2, 3}, {"a", "", "ccc"},
      {true, false}, 7,   "variant",     {4, "pair"}, {1, 2, 3}, 25ms,      {"n", {9}}};
  const auto future =
      std::apply([&](const auto&... each) { return pool.submit(gather_as(all), each...); }, all);
  EXPECT_EQ(future.result(), all);
  EXPECT_EQ(pool.submit(same<Everything>, all).result(), all);
}

TEST_F(TypedCallTest, FunctionsOfEveryKindAreCalled) {
  ProcessPoolExecutor pool({.max_workers = 1});
  int captured = 40;
  const Point point{1.5, 2};
  EXPECT_EQ(pool.submit([captured](int more) { return captured + more; }, 2).result(), 42);
  EXPECT_EQ(pool.submit([point] { return point; }).result(), point);
  EXPECT_EQ(pool.submit([] { return std::string("none"); }).result(), "none");
  EXPECT_EQ(pool.submit(&Named::count, Named{"n", {1, 2}}, 3U).result(), 5U);
  EXPECT_EQ(pool.submit(std::plus<>(), 1, 2).result(), 3);
  const Future<void> nothing = pool.submit(count_run, 5);
  nothing.result();
  EXPECT_EQ(shared().runs_by_number[5].load(), 1U);
}

TEST_F(TypedCallTest, TextIsSentForAPointer) {
  ProcessPoolExecutor pool({.max_workers = 1});
  const std::string long_text(100'000, 'x');
  EXPECT_EQ(pool.submit(length, "literal").result(), 7U);
  EXPECT_EQ(pool.submit(length, long_text.c_str()).result(), 100'000U);
  EXPECT_EQ(pool.submit(length, "").result(), 0U);
  const char* const none = nullptr;
  EXPECT_EQ(code_of(pool.submit(length, none).exception()), ErrorCode::usage);
}

TEST_F(TypedCallTest, ResultsMayBeMoveOnly) {
  ProcessPoolExecutor pool({.max_workers = 1});
  EXPECT_EQ(pool.submit(wrap, std::string("a")).take().text, "a");
  std::vector<std::string> texts;
  for (MoveOnly& each : pool.map(wrap, std::vector<std::string>{"b", "c"})) {
    texts.push_back(std::move(each.text));
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"b", "c"}));
}

TEST_F(TypedCallTest, EverySizeArrivesUnchanged) {
  constexpr std::size_t borrowed = detail::EncodedCall::borrowed_bytes_min;
  for (const std::size_t ring : {std::size_t{4096}, std::size_t{256} << 10U}) {
    ProcessPoolExecutor pool({.max_workers = 2, .ring_bytes = ring});
    for (const std::size_t around : {std::size_t{1}, borrowed, ring, std::size_t{1} << 20U}) {
      for (const std::size_t size : {around - 1, around, around + 1, around - 40}) {
        if (size > around + 1) continue;  // below 0
        const std::string text = pattern(size);
        ASSERT_TRUE(pool.submit(same<std::string>, text).result() == text) << ring << "/" << size;
        const std::vector<std::uint16_t> numbers(size / 2, std::uint16_t{0xabcd});
        ASSERT_TRUE(pool.submit(same<std::vector<std::uint16_t>>, numbers).result() == numbers);
      }
    }
  }
}

TEST_F(TypedCallTest, LargeOnesPassWhileOthersAreSubmitted) {
  ProcessPoolExecutor pool({.max_workers = 2});
  const std::string large = pattern(std::size_t{64} << 20U);
  std::vector<Future<std::string>> futures;
  for (int i = 0; i < 4; ++i) futures.push_back(pool.submit(same<std::string>, large));
  int sum = 0;
  std::thread other([&] {
    for (int i = 0; i < 500; ++i) sum += pool.submit(same<int>, i).result();
  });
  for (const auto& each : futures) EXPECT_TRUE(each.result() == large);
  other.join();
  EXPECT_EQ(sum, 499 * 500 / 2);
}

std::size_t sum_of_sizes(const std::string& text, std::vector<int> numbers) {
  return text.size() + numbers.size();
}
bool is_reference_of(std::reference_wrapper<const std::string> text, std::size_t size) {
  return text.get().size() == size;
}

TEST_F(TypedCallTest, WhatCrefNamesIsSentFromWhereItLies) {
  ProcessPoolExecutor processes({.max_workers = 1});
  ThreadPoolExecutor threads({.max_workers = 1});
  const std::string small = "abc";
  const std::string large = pattern(std::size_t{5} << 20U);
  const std::vector<int> numbers(1000, 7);
  for (const std::string* text : {&small, &large}) {
    const std::size_t wanted = text->size() + numbers.size();
    EXPECT_EQ(processes.submit(sum_of_sizes, std::cref(*text), std::cref(numbers)).result(),
              wanted);
    EXPECT_EQ(threads.submit(sum_of_sizes, std::cref(*text), std::cref(numbers)).result(), wanted);
    EXPECT_TRUE(processes.submit(is_reference_of, std::cref(*text), text->size()).result());
    EXPECT_TRUE(processes.submit(same<std::string>, std::cref(*text)).result() == *text);
  }
}

TEST_F(TypedCallTest, LargePlainArgumentsCountAgainstTheLimit) {
  ProcessPoolExecutor pool({.max_workers = 1, .message_bytes_max = 4096});
  const pid_t pid = pool.submit(pid_of_task).result();
  const Large large;
  const auto refused = pool.submit(size_of_large, large);
  EXPECT_EQ(code_of(refused.exception()), ErrorCode::limit);
  const auto in_closure = pool.submit([large] { return large.bytes.size(); });
  EXPECT_EQ(code_of(in_closure.exception()), ErrorCode::limit);
  EXPECT_EQ(pool.submit(pid_of_task).result(), pid) << "no process died of it";
  ProcessPoolExecutor roomy({.max_workers = 1});
  EXPECT_EQ(roomy.submit(size_of_large, large).result(), 8192U);
}

TEST_F(TypedCallTest, MapGivesResultsInOrderAndErrorsInPlace) {  // 4, 5, 6, 7
  ProcessPoolExecutor pool({.max_workers = 2});
  std::vector<int> squares(100);
  for (int i = 0; i < 100; ++i) squares[static_cast<std::size_t>(i)] = i == 10 ? -1 : i * i;
  for (const int chunk : {1, 3, 100}) {
    auto results = pool.map(checked_root, squares, {.chunk_size = chunk});
    int at = 0;
    int errors = 0;
    for (auto each = results.begin(); each != results.end(); ++at) {
      try {
        EXPECT_EQ(*each, at);
      } catch (const std::domain_error& error) {
        EXPECT_EQ(at, 10);
        EXPECT_NE(remote_facts(error), nullptr);
        ++errors;
      }
      ++each;
    }
    EXPECT_EQ(at, 100) << chunk;
    EXPECT_EQ(errors, 1) << chunk;
  }
}

/// Fails where its text says.
struct Fragile {
  std::string where;

  void fail_at(const char* place) const {
    if (where == place) throw std::runtime_error(where);
  }
  template <class Archive>
  void save(Archive& archive) const {
    fail_at(in_task_process() ? "encoding the result" : "encoding the argument");
    if (where == "crash in encoding" && in_task_process()) ::raise(SIGSEGV);
    archive(where);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(where);
    fail_at(in_task_process() ? "decoding the argument" : "decoding the result");
    if (where == "crash in decoding" && in_task_process()) ::raise(SIGSEGV);
  }
};

class FragileTest : public PoolTest, public testing::WithParamInterface<const char*> {};

TEST_P(FragileTest, AFailingCodecFailsItsOwnTaskAlone) {  // 83, 103, 104, 108, 109, 110, 116
  const std::string where = GetParam();
  const bool crashes = where.starts_with("crash");
  for (const unsigned prefetch : {0U, 8U}) {
    ProcessPoolExecutor pool({.max_workers = 2, .prefetch = prefetch});
    std::vector<Future<Fragile>> futures;
    for (int i = 0; i < 30; ++i) {
      futures.push_back(pool.submit(same<Fragile>, Fragile{i % 10 == 5 ? where : "nowhere"}));
    }
    for (std::size_t i = 0; i < futures.size(); ++i) {
      const std::exception_ptr error = futures[i].exception(60s);
      if (i % 10 != 5) {
        ASSERT_EQ(error, nullptr) << i;
        EXPECT_EQ(futures[i].result().where, "nowhere");
        continue;
      }
      ASSERT_NE(error, nullptr) << i;
      try {
        std::rethrow_exception(error);
      } catch (const WorkerDiedError& died) {
        EXPECT_TRUE(crashes);
        EXPECT_EQ(died.death().signal, SIGSEGV);
      } catch (const std::runtime_error& thrown) {
        EXPECT_FALSE(crashes);
        EXPECT_NE(std::string(thrown.what()).find(where), std::string::npos) << thrown.what();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, FragileTest,
                         testing::Values("encoding the argument", "decoding the argument",
                                         "encoding the result", "decoding the result",
                                         "crash in decoding", "crash in encoding"));

}  // namespace
}  // namespace muster::test
