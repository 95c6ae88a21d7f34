#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <muster/base/bytes.hpp>
#include <muster/base/ids.hpp>
#include <muster/executors/errors.hpp>
#include <muster/executors/init.hpp>
#include <muster/executors/task_context.hpp>
#include <muster/futures/future.hpp>

namespace muster {

namespace detail {
class PoolCore;
}

struct ProcessPoolOptions {
  unsigned max_workers = 0;  ///< task processes at most; 0: usable_cpus()

  /// Tasks sent to a process ahead of the one it runs: hides the latency of the hand-over.
  /// At most 255. Large values suit many small tasks, 0 suits few long ones.
  unsigned prefetch = 1;

  std::size_t ring_bytes = std::size_t{256} << 10U;  ///< each direction; rounded up to 2^n

  /// A larger argument or result fails its task with Error(limit).
  std::uint64_t message_bytes_max = std::uint64_t{1} << 30U;

  /// Gets every line that task processes write, without its newline, one call at a time, in the
  /// pool's own thread. Default: written to stderr. What it throws is logged and goes no further.
  /// The last lines of a process come before the report of its death; those of a task that returns
  /// may come after its result.
  std::function<void(std::string_view line)> on_output = {};
};

struct RawTaskOptions {
  /// Runs in a newly started process that runs nothing else and ends after it.
  bool fresh_process = false;
};

struct SubmittedTask {
  Future<Bytes> future;
  TaskId id;  ///< names the task in this pool; never reused
};

/// A running task as it is just now.
struct TaskProgress {
  pid_t pid = 0;
  std::uint64_t position = 0;
  std::uint64_t progress = 0;
};

/// Runs tasks in separate processes, so that a task that crashes harms no other.
///
/// Rules, and why:
/// - Processes start when there is work and no idle one, never more than max_workers, and are
///   reused. They are forks of the zygote (see init.hpp), not of this process, which has threads.
/// - A process that dies costs only the task it was running, which fails with WorkerDiedError.
///   Results that it had delivered count; tasks it had not started run elsewhere, uncharged. So a
///   task's function is entered at most once.
/// - The pool itself breaks, failing all that is pending with Error(broken), if the zygote dies, if
///   no process can be started, or if three in a row die before they run anything.
/// - cancel() of a future: not started yet, wherever it is: it never runs. Running: its process is
///   killed, the last rung of the ladder, for a task that is no more than a function pointer cannot
///   be asked to stop. Either way the future is cancelled when the call returns.
/// - Futures outlive the pool; no one waits for ever, as every task ends with an outcome.
///
/// Thread-safe. Callbacks of futures and on_output run in the pool's thread, with no lock held;
/// they may use the pool, but neither destroy it nor wait for its tasks.
class ProcessPoolExecutor {
 public:
  /// Calls init() if the program has not. Throws Error(usage) for impossible options or in a task
  /// process, and Error(broken) if the zygote has died.
  explicit ProcessPoolExecutor(ProcessPoolOptions options = {});
  ~ProcessPoolExecutor();  ///< shutdown(true)
  ProcessPoolExecutor(const ProcessPoolExecutor&) = delete;
  ProcessPoolExecutor& operator=(const ProcessPoolExecutor&) = delete;

  /// `function` must lie in the program or in a library loaded before init(). Never blocks. Throws
  /// Error(broken) after shutdown() or once the pool is broken, and Error(limit) if 16 million
  /// tasks have not ended yet.
  SubmittedTask submit_raw(TaskFunction function, Bytes argument, RawTaskOptions options = {});

  /// Counters of a task that is running; nothing otherwise.
  std::optional<TaskProgress> progress(TaskId task) const;

  /// Future::cancel() by id: true if the task was stopped by this call. False if it has ended.
  bool kill(TaskId task);

  /// kill() returns before the process has ended: it may still be writing a file. This waits until
  /// every process that was killed has ended; false if one has not by then.
  bool await_killed(Duration timeout = std::chrono::seconds(10));

  /// Ends the pool: no new tasks; those submitted still run, unless `cancel_pending` cancels all
  /// that have not started. With `wait` it returns when the last process has ended, however long
  /// running tasks take; otherwise at once, and the destructor waits. Idempotent; may be called
  /// again with stronger arguments.
  void shutdown(bool wait = true, bool cancel_pending = false);

  unsigned max_workers() const noexcept;

  /// The task processes that live just now, but for those whose start is not confirmed yet.
  std::vector<pid_t> worker_pids() const;

 private:
  std::shared_ptr<detail::PoolCore> core_;
};

}  // namespace muster
