#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include <muster/base/error.hpp>

namespace muster {

/// One exception as it was seen in another process.
struct RemoteCause {
  std::string type;     ///< demangled, such as "std::runtime_error"
  std::string message;  ///< what(); empty for what is not a std::exception
};

/// A task threw. A muster::Error keeps its code, hint and message; what() of any other exception is
/// "<type>: <message>". Causes found by std::rethrow_if_nested are appended to what() and listed.
class RemoteError : public Error {
 public:
  RemoteError(ErrorCode code, const std::string& message, std::string hint,
              std::vector<RemoteCause> chain);

  const std::string& type() const noexcept { return chain_.front().type; }

  /// The exception itself, then what it was caused by. Never empty.
  const std::vector<RemoteCause>& chain() const noexcept { return chain_; }

 private:
  std::vector<RemoteCause> chain_;
};

/// How a task process ended. Exactly one of `signal` and `exit_code` is meaningful.
struct WorkerDeath {
  pid_t pid = 0;
  int signal = 0;     ///< 0: it ended by itself, with exit_code
  int exit_code = 0;  ///< 0 too is a death: the task had not returned
  std::uint64_t max_rss_bytes = 0;
  std::uint64_t user_time_us = 0;
  std::uint64_t system_time_us = 0;
  std::uint64_t position = 0;  ///< TaskContext::position() as the task left it
  bool out_of_memory = false;  ///< the kernel killed it because its control group was full
  unsigned deaths = 1;         ///< of this task's processes, with those after which it was retried
  std::string stderr_tail;     ///< the last lines the process wrote; may include earlier tasks'

  /// It exited, or died of a signal that a process raises by its own doing, such as SIGSEGV. False:
  /// somebody else sent the signal.
  bool own_doing() const noexcept;
};

/// An executor cannot work any more: its initializer failed, or it can start no threads or
/// processes.
class BrokenExecutor : public Error {
 public:
  explicit BrokenExecutor(const std::string& message) : Error(ErrorCode::broken, message) {}
};

/// The process that ran the task ended before the task did.
class WorkerDiedError : public Error {
 public:
  explicit WorkerDiedError(WorkerDeath death);

  const WorkerDeath& death() const noexcept { return death_; }

 private:
  WorkerDeath death_;
};

}  // namespace muster
