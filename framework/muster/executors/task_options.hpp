#pragma once

#include <optional>
#include <string>

#include <muster/base/clock.hpp>

namespace muster {

/// How often a task may be run again, for each cause separately. Process pools only: a thread takes
/// the program with it. What a task throws is not retried here; see RetryingExecutor.
struct RetryBudget {
  unsigned worker_lost = 0;    ///< its process died while it ran
  unsigned out_of_memory = 0;  ///< its process was killed for want of memory
};

/// How a task is to be run. Over a deadline its future fails with DeadlineError; that is not
/// TimeoutError, which says only that somebody stopped waiting.
struct TaskOptions {
  /// Higher runs earlier: a task overtakes at most 1,000 tasks for each step by which its priority
  /// is higher than theirs, so that none waits for ever (aging).
  int priority = 0;

  /// From its submission until its function is entered. Over it, it never runs.
  std::optional<Duration> queue_timeout = std::nullopt;

  /// From when its function is entered until it returns. Over it, a process pool kills the process;
  /// a thread cannot be killed: the task's std::stop_token is triggered, if it takes one, and its
  /// future fails when the function has returned.
  std::optional<Duration> run_timeout = std::nullopt;

  /// From its submission until its end. Over it, a task that runs is stopped as for run_timeout.
  /// Tasks that it submits have the same deadline, unless their own is earlier.
  std::optional<Duration> total_timeout = std::nullopt;

  RetryBudget retries = {};  ///< process pools: after the death of its process

  /// Process pools: run in a newly started process that runs nothing else and ends after it.
  bool fresh_process = false;

  std::string name = {};  ///< what errors call the task
};

}  // namespace muster
