#pragma once

#include <cstdint>
#include <exception>
#include <memory>
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

/// What a process says about an exception. See RemoteFacts for the meaning of the members.
struct RemoteErrorDetails {
  ErrorCode code = ErrorCode::task;
  bool names_itself = false;           ///< a muster::Error: its message needs no type in front
  std::string hint;                    ///< the remedy; empty if there is none
  std::vector<RemoteCause> chain;      ///< not empty
  std::vector<std::string> backtrace;  ///< innermost frame first
  std::string host;                    ///< the machine's name
  pid_t pid = 0;                       ///< there
};

/// What is known of an exception that was thrown in another process. Every exception that arrives
/// from one is a RemoteFacts as well, so this can be caught instead of its type. Immutable; copies
/// share what they say, and copying throws nothing.
class RemoteFacts {
 public:
  explicit RemoteFacts(RemoteErrorDetails details);  ///< takes them over
  RemoteFacts(const RemoteFacts&) = default;
  RemoteFacts& operator=(const RemoteFacts&) = default;
  virtual ~RemoteFacts() = default;  ///< what copies share is freed with the last

  /// The code of a muster::Error, `limit` for a std::bad_alloc, `task` for everything else.
  ErrorCode code() const noexcept { return details_->code; }
  /// The remedy that a muster::Error names; empty if there is none.
  const std::string& hint() const noexcept { return details_->hint; }

  /// Of the exception itself, demangled; without the wrapper that std::throw_with_nested adds.
  const std::string& type() const noexcept { return chain().front().type; }

  /// The exception itself, then what it was caused by, as std::rethrow_if_nested finds it. Never
  /// empty, at most 32; no text has more than 16 KiB.
  const std::vector<RemoteCause>& chain() const noexcept { return details_->chain; }

  /// The stack of the throw, innermost first, down to the task's function (and the few of ours
  /// that call it, which it may be inlined into); at most 32 frames of the
  /// form "<file>+0x<offset>", which `addr2line -e <file> 0x<offset>` takes, with " in <function>"
  /// if that is known (link with -rdynamic for those of the program). Of a rethrown exception it is
  /// the stack of the rethrow. Empty if the stack could not be read.
  const std::vector<std::string>& backtrace() const noexcept { return details_->backtrace; }

  /// The name of the machine where it was thrown.
  const std::string& host() const noexcept { return details_->host; }
  /// The process there.
  pid_t pid() const noexcept { return details_->pid; }

  /// The chain in one sentence: "<type>: <message>; caused by <type>: <message>". A muster::Error
  /// at the front goes without its type.
  std::string summary() const;

  /// All of it, for logs: a cause, the process, a frame on each line.
  std::string report() const;

 private:
  std::shared_ptr<const RemoteErrorDetails> details_;
};

/// What is known of `error` if it was thrown in another process; null otherwise. Lives as long as
/// `error` does.
const RemoteFacts* remote_facts(const std::exception& error) noexcept;

/// An exception of a task process whose type is not registered (register_error.hpp), or whose value
/// could not be sent. what() is its summary(). A type derived from muster::Error keeps its code,
/// hint and message.
class RemoteError : public Error, public RemoteFacts {
 public:
  explicit RemoteError(const RemoteFacts& facts);  ///< shares what they say

  using Error::code;
  using Error::hint;
};

/// How a task process ended. Exactly one of `signal` and `exit_code` is meaningful.
struct WorkerDeath {
  pid_t pid = 0;                     ///< of the process that ended
  int signal = 0;                    ///< 0: it ended by itself, with exit_code
  int exit_code = 0;                 ///< 0 too is a death: the task had not returned
  std::uint64_t max_rss_bytes = 0;   ///< the most memory it held
  std::uint64_t user_time_us = 0;    ///< of a CPU, in all of its life
  std::uint64_t system_time_us = 0;  ///< of a CPU, in the kernel
  std::uint64_t position = 0;        ///< TaskContext::position() as the task left it
  bool out_of_memory =
      false;                ///< it was killed because its control group, or its worker, had no more
  unsigned deaths = 1;      ///< of this task's processes, with those after which it was retried
  std::string stderr_tail;  ///< the last lines the process wrote; may include earlier tasks'
  std::uint64_t task = 0;   ///< its number: TaskContext::task() was that
  std::string task_name;    ///< TaskOptions::name

  /// It exited, or died of a signal that a process raises by its own doing, such as SIGSEGV. False:
  /// somebody else sent the signal.
  bool own_doing() const noexcept;
};

/// An executor cannot work any more: its initializer failed, or it can start no threads or
/// processes.
class BrokenExecutor : public Error {
 public:
  /// By the executor; `message` says what it cannot do, and why.
  explicit BrokenExecutor(const std::string& message) : Error(ErrorCode::broken, message) {}
};

/// The executor's queue is full, and it was told to refuse tasks then (OnFull::raise).
class QueueFullError : public Error {
 public:
  /// By the executor; `message` names the limit.
  explicit QueueFullError(const std::string& message) : Error(ErrorCode::limit, message) {}
};

/// The process that ran the task ended before the task did.
class WorkerDiedError : public Error {
 public:
  explicit WorkerDiedError(WorkerDeath death);  ///< its message tells all of it

  /// How the process ended.
  const WorkerDeath& death() const noexcept { return death_; }

 private:
  WorkerDeath death_;
};

}  // namespace muster
