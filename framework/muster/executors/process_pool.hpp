#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/types.h>

#include <muster/base/bytes.hpp>
#include <muster/executors/call_codec.hpp>
#include <muster/executors/call_task.hpp>
#include <muster/executors/errors.hpp>
#include <muster/executors/init.hpp>
#include <muster/executors/on_full.hpp>
#include <muster/executors/process_limits.hpp>
#include <muster/executors/sending_executor.hpp>
#include <muster/executors/task_context.hpp>
#include <muster/futures/future.hpp>

namespace muster {

namespace detail {
class PoolCore;
}

/// What runs first in every task process: a plain function, or a closure whose captures are plain
/// bytes, with nothing to return. Copyable; empty by default.
class ProcessInitializer {
 public:
  ProcessInitializer() = default;
  /// Refuses, when compiled, what cannot be sent to other processes.
  template <class F>
  requires(std::invocable<F&> && !std::same_as<std::decay_t<F>, ProcessInitializer>)
      ProcessInitializer(F initializer)  // NOLINT: implicit, as a function is one
      : function_(detail::RemoteInvocation<F>::description().function) {
    static_assert(
        detail::is_sendable_function<F>,
        "an initializer runs in other processes: give a plain function, or a lambda whose "
        "captures are plain bytes (numbers, enums, structs of them)");
    detail::FunctionCodec<F>::encode(call_, initializer);
  }

  /// What runs in the process, for the pool; null if empty.
  detail::RemoteFunction function() const noexcept { return function_; }
  /// What it is given, for the pool.
  const Bytes& call() const noexcept { return call_; }

 private:
  detail::RemoteFunction function_ = nullptr;
  Bytes call_;
};

/// How many processes a pool has, how long each lives, and what it may use.
struct ProcessPoolOptions {
  unsigned max_workers = 0;  ///< task processes at most; 0: usable_cpus()

  /// A process ends after so many tasks and is replaced when there is work for another. 0: never.
  std::uint64_t max_tasks_per_child = 0;
  /// A process gets no more tasks when it is so old. None: any age.
  std::optional<Duration> max_child_age = std::nullopt;
  /// A process gets no more tasks once its resident memory is above this after a task. 0: any size.
  /// This is for leaks; limits.address_space_bytes is for tasks that ask for too much.
  std::uint64_t max_resident_bytes = 0;

  /// Runs first in every process. If it throws, the pool is broken: all that is pending or
  /// submitted later fails with BrokenExecutor, and what was thrown is logged to stderr.
  ProcessInitializer initializer = {};

  ProcessLimits limits = {};  ///< of each process

  /// Tasks sent to a process ahead of the one it runs: hides the latency of the hand-over. None:
  /// chosen by how long tasks take, so that short ones wait in the process and long ones where the
  /// next free process finds them. At most 255.
  std::optional<unsigned> prefetch = std::nullopt;

  /// Tasks that may wait for a process, beyond those sent ahead; more are treated as `on_full`
  /// says. 0: any number.
  std::size_t queue_max = 0;
  OnFull on_full = OnFull::block;

  std::size_t ring_bytes = std::size_t{256} << 10U;  ///< each direction; rounded up to 2^n

  /// A larger call or result fails its task with Error(limit).
  std::uint64_t message_bytes_max = std::uint64_t{1} << 30U;

  /// Gets every line that task processes write, without its newline, one call at a time, in the
  /// pool's own thread. Default: written to stderr. What it throws is logged and goes no further.
  /// The last lines of a process come before the report of its death; those of a task that returns
  /// may come after its result.
  std::function<void(std::string_view line)> on_output = {};
};

/// A running task as it is just now.
struct TaskProgress {
  pid_t pid = 0;               ///< of its process
  std::uint64_t position = 0;  ///< TaskContext::position()
  std::uint64_t progress = 0;  ///< the sum of TaskContext::add_progress()
};

/// Runs tasks in separate processes, after Python's ProcessPoolExecutor, so that a task that
/// crashes harms no other.
///
/// What can be sent: functions that are plain bytes (function pointers, lambdas whose captures are
/// numbers, enums and structs of them), arguments and results that are Sendable (see
/// docs/sending.md) or text pointers (the text is sent). submit(), map(), map_reduce() and
/// Pipeline::stage() refuse everything else when compiled; through Executor& it throws
/// Error(usage). Functions and globals are those of the program at init(): later changes are not
/// seen, and libraries loaded later are not there.
///
/// Rules, and why:
/// - Processes start when there is work and no idle one, never more than max_workers, and are
///   reused. They are forks of the zygote (see init.hpp), not of this process, which has threads.
/// - A process that dies costs only the task it was running, which fails with WorkerDiedError, or
///   is run again if its TaskOptions::retries say so; the third time alone in a new process.
///   Results that had been delivered count; tasks that had not started run elsewhere, uncharged.
///   Without retries a task's function is entered at most once.
/// - The pool itself breaks, failing all that is pending with BrokenExecutor, if the zygote dies,
/// if
///   no process can be started, if the initializer throws, or if three processes in a row die
///   by their own doing before they run anything (a hundred, if others killed them).
/// - cancel() of a future: not started yet, wherever it is: it never runs. Running: a task that
/// takes
///   a std::stop_token is asked to stop, and false is returned; of any other the process is killed,
///   and the future is cancelled when the call returns.
/// - Futures outlive the pool; no one waits for ever, as every task ends with an outcome.
///
/// Thread-safe. Callbacks of futures and on_output run in the pool's thread, with no lock held;
/// they may use the pool, but neither destroy it nor wait for its tasks, which only this thread
/// brings to an end: such a wait throws DeadlockError, unless it has a timeout or is for the first
/// of several. In a forked child the pool is of no use: submit() and most other members throw
/// Error(usage), cancel() returns false, and the destructor does nothing.
class ProcessPoolExecutor final : public SendingExecutor {
 public:
  /// Calls init() if the program has not. Throws Error(usage) for impossible options or in a task
  /// process, and BrokenExecutor if the zygote has died.
  explicit ProcessPoolExecutor(ProcessPoolOptions options = {});
  ~ProcessPoolExecutor() override;  ///< shutdown(true)

  /// `function` must lie in the program or in a library loaded before init(). Never blocks. Throws
  /// as submit() does.
  Future<Bytes> submit_raw(TaskFunction function, Bytes argument, const TaskOptions& options = {});

  void execute(detail::TaskPtr task) override;

  /// Counters of a task of this pool, if it is running just now.
  template <class T>
  std::optional<TaskProgress> progress(const Future<T>& future) const {
    return progress_of(detail::FutureAccess::state(future));
  }

  /// cancel() returns before a process that it killed has ended: that may still be writing a file.
  /// This waits until every process that was killed has ended; false if one has not by then.
  bool await_killed(Duration timeout = std::chrono::seconds(10));

  /// As Executor says. With `wait` it returns when the last process has ended, however long running
  /// tasks take; otherwise at once, and the destructor waits.
  void shutdown(bool wait = true, bool cancel_pending = false) override;

  bool drain(std::optional<Duration> timeout = std::nullopt) override;

  /// Ends the pool by force: what has not started fails with Error(broken), every process gets
  /// SIGTERM, what they were running fails with WorkerDiedError, and none is replaced.
  /// Returns at once; see shutdown() for waiting. Does nothing to processes that are gone.
  void terminate_workers();
  /// The same with SIGKILL, which a task cannot handle.
  void kill_workers();

  unsigned max_workers() const noexcept override;

  /// The task processes that live just now, but for those whose start is not confirmed yet.
  std::vector<pid_t> worker_pids() const;

 private:
  std::optional<TaskProgress> progress_of(detail::SharedStateBase& work) const;

  std::shared_ptr<detail::PoolCore> core_;
};

}  // namespace muster
