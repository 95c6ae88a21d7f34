#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <muster/executors/process_pool.hpp>

#include "support.hpp"

// Parts that need a program of their own: each returns 0 if all went as it should.

namespace muster::test {
namespace {

int fail(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  return 1;
}

/// Makes a pool with endless tasks, says so, and waits to be killed.
int hold_pool() {
  init();
  ProcessPoolExecutor pool({.max_workers = 2});
  const Future<Bytes> one = pool.submit_raw(&spin, {});
  const Future<Bytes> two = pool.submit_raw(&spin, {});
  if (!has_started(pool, one) || !has_started(pool, two)) return fail("no start");
  std::printf("ready\n");
  std::fflush(stdout);
  one.result();
  return fail("an endless task ended");
}

int init_with_threads() {
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop.load()) std::this_thread::yield();
  });
  int outcome = fail("a process with threads was forked");
  try {
    init();
  } catch (const Error& error) {
    const bool right = error.code() == ErrorCode::usage && !error.hint().empty();
    outcome = right ? 0 : fail(error.what());
  }
  try {
    const ProcessPoolExecutor pool;
    outcome = fail("a pool was made");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::usage) outcome = fail(error.what());
  }
  stop = true;
  other.join();
  return outcome;
}

int init_by_pool() {
  ProcessPoolExecutor pool({.max_workers = 1});
  return pool.submit_raw(&echo, "x").result() == "x" ? 0 : 1;
}

int init_twice() {
  init();
  init();
  return children_of(::getpid()).size() == 1 ? 0 : fail("two zygotes");
}

Bytes print(TaskContext&, std::string_view) {
  std::printf("from the task's stdout\n");
  if (::write(STDOUT_FILENO, "raw\n", 4) != 4) std::abort();
  return {};
}

int print_from_task() {
  std::printf("buffered before init");
  init();
  ProcessPoolExecutor pool({.max_workers = 1});
  pool.submit_raw(&print, {}).result();
  pool.shutdown();
  std::printf(", once\n");
  return 0;
}

int zygote_dies() {
  init();
  const pid_t zygote = children_of(::getpid()).front();
  std::vector<Future<Bytes>> futures;
  {
    ProcessPoolExecutor pool({.max_workers = 2});
    const Future<Bytes> running = pool.submit_raw(&spin, {});
    futures.push_back(running);
    for (int i = 0; i < 20; ++i) futures.push_back(pool.submit_raw(&spin, {}));
    if (!has_started(pool, running)) return fail("no start");
    const std::vector<pid_t> tasks = pool.worker_pids();
    ::kill(zygote, SIGKILL);
    for (const auto& future : futures) {
      try {
        future.result(std::chrono::seconds(60));
        return fail("an endless task ended");
      } catch (const Error& error) {
        if (error.code() != ErrorCode::broken) return fail(error.what());
      }
    }
    for (const pid_t pid : tasks) {
      if (!eventually([&] { return is_gone(pid); })) return fail("an orphan");
    }
    try {
      pool.submit_raw(&echo, "x");
      return fail("a broken pool took a task");
    } catch (const Error& error) {
      if (error.code() != ErrorCode::broken) return fail(error.what());
    }
  }
  return children_of(::getpid()).empty() ? 0 : fail("the zygote was not reaped");
}

int zygote_is_replaced() {
  init();
  const pid_t zygote = children_of(::getpid()).front();
  ::kill(zygote, SIGKILL);
  // Until all of it has ended, its sockets too; and it stays a zombie for init() to bury.
  siginfo_t info{};
  const auto pid = static_cast<id_t>(zygote);
  if (::waitid(P_PID, pid, &info, WEXITED | WNOWAIT) != 0) return fail("waitid");
  init();
  ProcessPoolExecutor pool({.max_workers = 1});
  return pool.submit_raw(&echo, "x").result() == "x" ? 0 : 1;
}

/// Exits with a pool that still runs a task, which ends by the destructor's waiting.
int exit_with_pool() {
  init();
  static ProcessPoolExecutor pool({.max_workers = 1});
  const Future<Bytes> task = pool.submit_raw(&wait_at_gate, "0");
  if (!has_started(pool, task)) return fail("no start");
  shared().gate = 1;
  return 0;
}

}  // namespace

int play_role(const std::string& role) {
  static const std::map<std::string, int (*)()> roles = {
      {"exit_with_pool", &exit_with_pool},
      {"hold_pool", &hold_pool},
      {"init_by_pool", &init_by_pool},
      {"init_twice", &init_twice},
      {"init_with_threads", &init_with_threads},
      {"killed_for_memory", &killed_for_memory},
      {"print_from_task", &print_from_task},
      {"zygote_dies", &zygote_dies},
      {"zygote_is_replaced", &zygote_is_replaced},
  };
  const auto found = roles.find(role);
  return found == roles.end() ? fail("no such role") : found->second();
}

}  // namespace muster::test
