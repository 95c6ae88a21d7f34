// Parts that need a program of their own: each prints what it saw, and returns 0 if all went well.
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/muster.hpp>

#include "contract.hpp"
#include "faulty.hpp"
#include "support/local_cluster.hpp"
#include "support/proc.hpp"
#include "tasks.hpp"

namespace muster::conformance {
namespace {

using namespace std::chrono_literals;

int fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  return 1;
}

std::unique_ptr<Executor> make(const std::string& kind, unsigned workers) {
  for (const Kind& each : kinds()) {
    if (each.name == kind) return each.make(workers);
  }
  std::abort();
}

void print_runs() { std::printf("ran %d\n", static_cast<int>(shared().runs)); }

/// Returns from main with work in an executor that a static destructor ends.
int exit_with_work(const std::string& kind, const std::string& how) {
  init();
  std::atexit(print_runs);  // runs after the destructors of what is made later
  static std::unique_ptr<Executor> executor;
  executor = make(kind, how == "cancelling" ? 1 : 2);
  if (how == "cancelling") {
    executor->submit(pass_gate, 0);
    if (!at_gate(1)) return fail("no start");
    for (int i = 0; i < 9; ++i) executor->submit(count, i);
    executor->shutdown(false, true);
    shared().gate = 1;
    return 0;
  }
  for (int i = 0; i < 10; ++i) executor->submit(count, i);
  if (how == "without_wait") executor->shutdown(false);
  return 0;
}

/// From now on no thread can be started. For the thread sanitizer, whose own thread runs already.
bool forbid_threads() {
  // clone3 does not exist, so that the C library takes clone, whose flags can be looked at.
  constexpr auto data = [](std::size_t offset) { return static_cast<std::uint32_t>(offset); };
  std::array<sock_filter, 8> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, data(offsetof(seccomp_data, nr))),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, data(offsetof(seccomp_data, args))),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 2, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
  }};
  const sock_fprog filter{program.size(), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

int without_threads(const std::string& kind) {
  init();
  if (!forbid_threads()) return fail("no seccomp filter");
  try {
    auto executor = make(kind, 2);
    executor->submit(twice, 1).result(60s);
  } catch (const Error& error) {
    std::printf("%s\n", error.what());
    return error.code() == ErrorCode::broken ? 0 : fail("another error");
  }
  return fail("no error");
}

/// What a pool cannot run it does not keep either.
int keeps_nothing_without_threads() {
  if (!forbid_threads()) return fail("no seccomp filter");
  ThreadPoolExecutor pool({.max_workers = 2});
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = held;
  const Future<int> future = pool.submit([held = std::move(held)] { return *held; });
  std::printf("%s\n", error_text(future.exception(60s)).c_str());
  if (!seen.expired()) return fail("the task is kept");
  return pool.drain(60s) ? 0 : fail("the pool has something to do");
}

/// Whoever waits until a pool has nothing to do, or has room, hears of tasks that it could not run.
int wakes_without_threads() {
  ThreadPoolExecutor pool({.max_workers = 1, .queue_max = 1});
  std::atomic<int> refused = 0;
  std::atomic<bool> is_forbidden = true;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      if (!forbid_threads()) is_forbidden = false;  // for this thread alone
      for (int j = 0; j < 2000; ++j) {
        try {
          pool.submit(twice, 1).result(60s);
        } catch (const Error& error) {
          if (error.code() == ErrorCode::broken) ++refused;
        }
      }
    });
  }
  for (int i = 0; i < 2000; ++i) {
    if (!pool.drain(60s)) return fail("nothing to do, and nobody says so");
  }
  threads.clear();
  std::printf("%d\n", refused.load());
  return is_forbidden ? 0 : fail("no seccomp filter");
}

/// A rate limiter over a pool that has its thread, but without the timer that would let tasks out.
int rate_without_timer() {
  ThreadPoolExecutor pool({.max_workers = 1});
  pool.submit(twice, 1).result(60s);
  if (!forbid_threads()) return fail("no seccomp filter");
  RateLimitedExecutor limited(pool, {.per_second = 0.001, .burst = 1});
  if (limited.submit(twice, 2).result(60s) != 4) return fail("the first task has its token");
  for (int i = 0; i < 2; ++i) {
    try {
      limited.submit(twice, 3);
      return fail("no error");
    } catch (const Error& error) {
      std::printf("%s\n", error.what());
      if (error.code() != ErrorCode::broken) return fail("another error");
    }
  }
  if (limited.waiting_count() != 0) return fail("what was refused waits");
  return limited.drain(60s) ? 0 : fail("what was refused is counted");
}

void spin() {
  ++shared().at_gate;
  for (volatile bool forever = true; forever;) {
  }
}

int zygote_dies() {
  init();
  const pid_t zygote = test::children_of(::getpid()).front();
  ProcessPoolExecutor pool({.max_workers = 2});
  std::vector<Future<void>> futures;
  for (int i = 0; i < 20; ++i) futures.push_back(pool.submit(spin));
  if (!at_gate(2)) return fail("no start");
  const std::vector<pid_t> tasks = pool.worker_pids();
  ::kill(zygote, SIGKILL);
  for (const auto& each : futures) {
    const std::exception_ptr error = each.exception(60s);
    std::printf("%s\n", error_text(error).c_str());
  }
  for (const pid_t pid : tasks) {
    if (!eventually([&] { return test::is_gone(pid); })) return fail("an orphan");
  }
  return 0;
}

/// Destroyed after all that was registered to be done at the program's end since main began.
struct LateEnd {
  std::unique_ptr<ProcessPoolExecutor> pool;
  ~LateEnd() {
    if (pool == nullptr) return;
    pool.reset();
    print_runs();
  }
} late_end;

int exit_with_work_of_a_global() {
  late_end.pool = std::make_unique<ProcessPoolExecutor>(ProcessPoolOptions{.max_workers = 2});
  for (int i = 0; i < 10; ++i) late_end.pool->submit(count, i);
  return 0;
}

pid_t zygote_of_the_program = 0;

/// After the last static object: constructors' counterpart with the lowest priority runs last.
[[gnu::destructor(101)]] void look_for_the_zygote() {
  if (zygote_of_the_program == 0) return;
  // Reaped by the program itself: otherwise it would still be its child, a zombie at the least.
  const bool reaped = ::waitpid(zygote_of_the_program, nullptr, WNOHANG) < 0 && errno == ECHILD;
  std::printf("zygote %s\n", reaped ? "reaped" : "left");
}

int exit_with_a_live_pool() {
  init();
  zygote_of_the_program = test::children_of(::getpid()).front();
  ProcessPoolExecutor pool({.max_workers = 1});
  pool.submit(twice, 1).result(60s);
  std::exit(5);
}

void exit_with_3() { std::exit(3); }

int exit_in_a_later_zygote() {
  init();
  const pid_t first = test::children_of(::getpid()).front();
  ::kill(first, SIGKILL);
  const auto is_later = [first] {
    init();  // makes a new one once the death is seen
    return test::children_of(::getpid()).front() != first;
  };
  if (!eventually(is_later)) return fail("no new zygote");
  ProcessPoolExecutor pool({.max_workers = 1, .on_output = [](std::string_view) {}});
  try {
    pool.submit(exit_with_3).result(60s);
  } catch (const WorkerDiedError& error) {
    std::printf("exited with code %d\n", error.death().exit_code);
    return 0;
  }
  return fail("no death");
}

int unencodable_and_exit(const std::string& kind) {
  init();
  static const std::unique_ptr<Executor> executor = make(kind, 2);
  static const Future<int> bad = executor->submit(fault_of, Faulty{Fault::throws_in_save});
  executor->submit(count, 1);
  executor->shutdown(false);
  std::atexit([] { std::printf("%s\n", error_text(bad.exception(0s)).c_str()); });
  bad.wait(60s);
  return 0;
}

}  // namespace

int play_role(const std::string& role) {
  test::LocalCluster::prepare();  // before static executors, which so end earlier
  for (const Kind& kind : kinds()) {
    for (const char* how : {"plainly", "without_wait", "cancelling"}) {
      if (role == "exit_" + kind.name + "_" + how) return exit_with_work(kind.name, how);
    }
    if (role == "no_threads_" + kind.name) return without_threads(kind.name);
    if (role == "unencodable_and_exit_" + kind.name) return unencodable_and_exit(kind.name);
  }
  if (role == "exit_with_a_live_pool") return exit_with_a_live_pool();
  if (role == "exit_in_a_later_zygote") return exit_in_a_later_zygote();
  if (role == "exit_with_work_of_a_global") return exit_with_work_of_a_global();
  if (role == "zygote_dies") return zygote_dies();
  if (role == "keeps_nothing_without_threads") return keeps_nothing_without_threads();
  if (role == "wakes_without_threads") return wakes_without_threads();
  if (role == "rate_without_timer") return rate_without_timer();
  return fail("no such role");
}

}  // namespace muster::conformance
