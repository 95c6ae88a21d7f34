#pragma once

#include <string>

#include <muster/base/error.hpp>

namespace muster {

/// The work of a future was cancelled: there is no result and none will come.
class CancelledError : public Error {
 public:
  explicit CancelledError(const std::string& message = "the task was cancelled")
      : Error(ErrorCode::cancelled, message) {}
};

/// A wait ended before the result was there. The work itself goes on.
class TimeoutError : public Error {
 public:
  explicit TimeoutError(const std::string& message = "the result is not there yet")
      : Error(ErrorCode::limit, message) {}
};

/// The task was not done in the time it was given (TaskOptions), and was stopped or never started.
class DeadlineError : public Error {
 public:
  explicit DeadlineError(const std::string& message) : Error(ErrorCode::limit, message) {}
};

/// A second result, or a use that the state does not allow: a mistake of the program.
class InvalidStateError : public Error {
 public:
  explicit InvalidStateError(const std::string& message) : Error(ErrorCode::usage, message) {}
};

/// A task waits for something that can only happen after its own end.
class DeadlockError : public Error {
 public:
  explicit DeadlockError(const std::string& message) : Error(ErrorCode::usage, message) {}
};

/// The promise was destroyed without a result.
class BrokenPromiseError : public Error {
 public:
  BrokenPromiseError() : Error(ErrorCode::broken, "the promise was dropped without a result") {}
};

}  // namespace muster
