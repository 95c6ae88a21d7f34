// Crashes, and values that go wrong on their way: items 86 and 103 to 116.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <muster/muster.hpp>

#include "contract.hpp"
#include "faulty.hpp"
#include "support/process_pools.hpp"
#include "support/role.hpp"
#include "tasks.hpp"

namespace muster::conformance {
namespace {

using namespace std::chrono_literals;
using test::death_of;
using test::quiet;
using test::sole_worker;

enum class Crash : std::uint8_t { segfault, abort, exit, exit_0, kill };

int crash(Crash how) {
  ++shared().runs;
  std::fprintf(stderr, "the last words of a task\n");
  switch (how) {
    case Crash::segfault: {
      void* page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      return *static_cast<volatile int*>(page);
    }
    case Crash::abort:
      std::abort();
    case Crash::exit:
      std::exit(3);
    case Crash::exit_0:
      ::_exit(0);
    case Crash::kill:
      ::kill(::getpid(), SIGKILL);
  }
  return 0;
}

/// An executor with tasks before and behind the one that goes wrong: they must all end well.
class Crashes : public ExecutorContract {
 protected:
  void submit_others(int first) {
    for (int i = first; i < first + 10; ++i) others_.push_back(executor->submit(count, i));
  }

  void expect_others_done_once() {
    for (std::size_t i = 0; i < others_.size(); ++i) {
      EXPECT_EQ(others_[i].result(60s), static_cast<int>(i));
      EXPECT_EQ(shared().runs_by_number[i], 1U) << i;
    }
    EXPECT_EQ(executor->submit(twice, 4).result(60s), 8) << "and it works on";
  }

  /// Submits with company, waits, and checks the company.
  template <class... Call>
  auto in_company(Call... call) {
    const int first = static_cast<int>(others_.size());
    submit_others(first);
    auto future = executor->submit(call...);
    submit_others(first + 10);
    EXPECT_TRUE(future.wait(60s));
    expect_others_done_once();
    return future;
  }

 private:
  std::vector<Future<int>> others_;
};
MUSTER_CONTRACT_ON_SENDING_KINDS(Crashes);

/// What is special to pools of processes.
class ProcessCrashes : public ProcessesContract {
 protected:
  ProcessPoolExecutor pool{quiet(2, 4)};
};

TEST_P(Crashes, OfEveryKindCostOneTaskAndAreNamed) {
  covers({82, 86, 105, 106});
  EXPECT_EQ(death_of(in_company(crash, Crash::segfault)).signal, SIGSEGV);
  EXPECT_EQ(death_of(in_company(crash, Crash::abort)).signal, SIGABRT);
  EXPECT_EQ(death_of(in_company(crash, Crash::kill)).signal, SIGKILL);
  const WorkerDeath exit = death_of(in_company(crash, Crash::exit));
  EXPECT_EQ(exit.signal, 0);
  EXPECT_EQ(exit.exit_code, 3);
  EXPECT_NE(exit.stderr_tail.find("the last words of a task"), std::string::npos);
  const WorkerDeath exit_0 = death_of(in_company(crash, Crash::exit_0));
  EXPECT_EQ(exit_0.signal, 0);
  EXPECT_EQ(exit_0.exit_code, 0) << "a death all the same";
  EXPECT_EQ(shared().runs, 5U + 100U) << "none was run again";

  EXPECT_NE(error_text(executor->submit(crash, Crash::kill).exception()).find("signal 9 (SIGKILL)"),
            std::string::npos);
  EXPECT_NE(error_text(executor->submit(crash, Crash::exit).exception()).find("exited with code 3"),
            std::string::npos);
}

int crash_at_fours(int number) {
  if (number % 4 == 0) ::_exit(0);
  return number;
}

TEST_P(Crashes, InAMapCostTheirChunkAndNoInputIsLost) {
  covers({6, 7, 105});
  constexpr int count = 48;
  for (const int chunk : {1, 3}) {
    for (const int buffer : {6, 24}) {
      auto results = executor->map(crash_at_fours, numbers(count),
                                   {.chunk_size = chunk, .buffer_size = buffer});
      int position = 0;
      for (auto at = results.begin(); at != results.end(); ++at, ++position) {
        const int last = position - position % chunk + chunk - 1;
        const bool dies = last % 4 < chunk;  // one of the chunk is a multiple of 4
        try {
          EXPECT_EQ(*at, position);
          EXPECT_FALSE(dies) << position;
        } catch (const WorkerDiedError&) {
          EXPECT_TRUE(dies) << position;
        }
      }
      EXPECT_EQ(position, count) << chunk << ", " << buffer;
    }
  }
}

Faulty faulty_at_one(int number) { return {number == 1 ? Fault::throws_in_save : Fault::none}; }

TEST_P(Crashes, AMapsResultThatCannotBeEncodedFailsAlone) {
  covers({109});
  auto results = executor->map(faulty_at_one, numbers(3), {.chunk_size = 3});
  int good = 0;
  int bad = 0;
  for (auto at = results.begin(); at != results.end(); ++at) {
    try {
      EXPECT_EQ((*at).fault, Fault::none);
      ++good;
    } catch (const std::exception& error) {
      EXPECT_NE(std::string(error.what()).find("cannot be saved"), std::string::npos);
      ++bad;
    }
  }
  EXPECT_EQ(good, 2);
  EXPECT_EQ(bad, 1);
}

TEST_P(Crashes, WhatCannotBeEncodedFailsAlone) {
  covers({103, 109});
  const auto argument = in_company(fault_of, Faulty{Fault::throws_in_save});
  EXPECT_NE(error_text(argument.exception()).find("cannot be saved"), std::string::npos);
  const auto result = in_company(faulty_result, Fault::throws_in_save);
  EXPECT_NE(error_text(result.exception()).find("cannot be saved"), std::string::npos);
}

TEST_P(Crashes, WhatCannotBeDecodedFailsAlone) {
  covers({110, 116});
  const auto argument = in_company(fault_of, Faulty{Fault::throws_in_load});
  EXPECT_NE(error_text(argument.exception()).find("cannot be loaded"), std::string::npos);
  const auto result = in_company(faulty_result, Fault::throws_in_load);
  EXPECT_NE(error_text(result.exception()).find("cannot be loaded"), std::string::npos);
}

TEST_P(Crashes, OfTheCodecCostOneTask) {
  covers({104, 108});
  EXPECT_EQ(death_of(in_company(fault_of, Faulty{Fault::crashes_in_load})).signal, SIGSEGV);
  EXPECT_EQ(death_of(in_company(faulty_result, Fault::crashes_in_save)).signal, SIGSEGV);
}

TEST_P(Crashes, DuringShutdownDoNotHangIt) {
  covers({111});
  std::vector<Future<int>> crashing;
  for (int i = 0; i < 5; ++i) {
    crashing.push_back(executor->submit(crash, i % 2 == 0 ? Crash::segfault : Crash::exit));
  }
  const Future<int> last = executor->submit(count, 1);
  executor->shutdown();
  for (const auto& each : crashing) EXPECT_THROW(each.result(0s), WorkerDiedError);
  EXPECT_EQ(last.result(0s), 1);
  EXPECT_EQ(shared().runs, 6U);
}

TEST_P(Crashes, UnencodableThenExitIsClean) {
  covers({112});
  const auto result = test::run_role("unencodable_and_exit_" + kind().name);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_NE(result.out.find("cannot be saved"), std::string::npos) << result.out;
}

std::size_t crash_with(const std::string& text) {
  crash(Crash::kill);
  return text.size();
}

TEST_P(Crashes, WithLargeArgumentsAreCleanErrors) {
  covers({113});
  const std::string text(4'000'000, 'x');
  std::vector<Future<std::size_t>> sizes;
  for (int i = 0; i < 3; ++i)
    sizes.push_back(executor->submit([](const std::string& x) { return x.size(); }, text));
  EXPECT_EQ(death_of(in_company(crash_with, text)).signal, SIGKILL);
  for (const auto& each : sizes) EXPECT_EQ(each.result(60s), text.size());
}

TEST_P(Crashes, BusyWorkersDoNotBlockSubmit) {
  covers({114});
  executor = make(1);
  const Future<int> busy = executor->submit(pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  std::vector<Future<int>> futures;
  for (int i = 0; i < 20'000; ++i) futures.push_back(executor->submit(twice, i));
  EXPECT_FALSE(futures.front().done());
  shared().gate = 1;
  EXPECT_EQ(busy.result(60s), 0);
  for (std::size_t i = 0; i < futures.size(); i += 999)
    EXPECT_EQ(futures[i].result(60s), 2 * static_cast<int>(i));
}

std::string gate_and_echo(const std::string& text) {
  pass_gate(0);
  return text;
}

TEST_F(ProcessCrashes, WithMuchOnItsWayIsACleanError) {
  covers({113});
  ProcessPoolOptions options = quiet(1, 4);
  options.ring_bytes = 4096;
  ProcessPoolExecutor small(options);
  const std::string text(1'000'000, 'x');
  std::vector<Future<std::string>> futures;
  for (int i = 0; i < 5; ++i) futures.push_back(small.submit(gate_and_echo, text));
  ASSERT_TRUE(at_gate(1));
  ::kill(sole_worker(small), SIGKILL);
  ASSERT_TRUE(at_gate(2));
  shared().gate = 1;
  EXPECT_EQ(death_of(futures[0]).signal, SIGKILL);
  for (std::size_t i = 1; i < futures.size(); ++i) EXPECT_TRUE(futures[i].result(60s) == text);
  EXPECT_EQ(shared().runs, 5U);
}

TEST_F(ProcessCrashes, AStoppedProcessDoesNotBlockSubmit) {
  covers({114});
  ProcessPoolOptions options = quiet(1, 64);
  options.ring_bytes = 4096;
  ProcessPoolExecutor small(options);
  const Future<int> stopped = small.submit(pass_gate, 0);
  ASSERT_TRUE(at_gate(1));
  const pid_t pid = sole_worker(small);
  ::kill(pid, SIGSTOP);
  std::vector<Future<int>> futures;
  for (int i = 0; i < 20'000; ++i) futures.push_back(small.submit(twice, i));
  EXPECT_FALSE(futures.front().done());
  ::kill(pid, SIGCONT);
  shared().gate = 1;
  EXPECT_EQ(stopped.result(60s), 0);
  for (std::size_t i = 0; i < futures.size(); i += 999) {
    EXPECT_EQ(futures[i].result(60s), 2 * static_cast<int>(i));
  }
}

TEST_P(Crashes, WhatCannotBeSentIsRefusedOnSubmit) {
  covers({115});
  Executor& any = *executor;  // which takes all that compiles: docs/sending.md
  const std::string captured = "text";
  const auto refused = [&](auto... call) {
    try {
      any.submit(call...);
    } catch (const Error& error) {
      return error.code() == ErrorCode::usage;
    }
    return false;
  };
  EXPECT_TRUE(refused([captured] { return captured.size(); }));
  EXPECT_TRUE(refused(std::function<int()>([] { return 1; })));
  static const int number = 1;
  EXPECT_TRUE(refused([](const int* x) { return *x; }, &number));
  EXPECT_TRUE(refused([] { return std::string_view("x"); }));
  EXPECT_EQ(executor->submit(twice, 4).result(60s), 8);
}

TEST_F(ProcessCrashes, RacyKillsChargeOneTaskEach) {
  covers({82});
  for (int round = 0; round < 20; ++round) {
    reset_shared();
    std::vector<Future<int>> futures;
    for (int i = 0; i < 30; ++i) {
      futures.push_back(pool.submit(count, i));
      if (i != round) continue;
      const std::vector<pid_t> pids = pool.worker_pids();
      if (!pids.empty()) ::kill(pids.front(), SIGKILL);
    }
    ASSERT_TRUE(wait(futures, {.timeout = 60s}).not_done.empty()) << round;
    int charged = 0;
    for (std::size_t i = 0; i < futures.size(); ++i) {
      const bool died = futures[i].exception() != nullptr;
      charged += died;
      ASSERT_LE(shared().runs_by_number[i], 1U) << "a task ran twice";
      ASSERT_TRUE(died || shared().runs_by_number[i] == 1U);
    }
    ASSERT_LE(charged, 1) << round;
  }
}

#ifndef MUSTER_SANITIZED  // whose shadow memory is larger than any limit
std::size_t take_memory(std::size_t bytes) {
  ++shared().runs;
  return std::string(bytes, 'x').size();
}

TEST_F(ProcessCrashes, MoreMemoryThanTheLimitIsAnErrorOfThatTask) {
  ProcessPoolOptions options = quiet(1);
  options.limits.address_space_bytes = std::uint64_t{2} << 30U;
  ProcessPoolExecutor limited(options);
  const Future<std::size_t> large = limited.submit(take_memory, std::size_t{4} << 30U);
  const Future<std::size_t> small = limited.submit(take_memory, std::size_t{1} << 20U);
  EXPECT_THROW(large.result(60s), std::bad_alloc);
  EXPECT_EQ(small.result(60s), std::size_t{1} << 20U);
  EXPECT_EQ(shared().runs, 2U);
}
#endif

}  // namespace
}  // namespace muster::conformance
