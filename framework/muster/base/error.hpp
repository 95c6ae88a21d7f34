#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace muster {

/// What went wrong, as far as a caller can act on it. The command line maps each to an exit code.
enum class ErrorCode : std::uint8_t {
  usage,          ///< the request itself is wrong: unknown name, bad value, missing input
  io,             ///< a file could not be read or written
  no_space,       ///< a file system is full
  input_changed,  ///< an input is not what it was when the job was planned
  corrupt,        ///< data did not match its checksum or format
  plugin,         ///< a shared object is not a plugin, or of another ABI
  task,           ///< task code reported an error
  worker_died,    ///< a task process ended while it ran a task
  limit,          ///< a stated limit (memory, size, count) was reached
  cancelled,      ///< stopped on request
  broken,         ///< an executor cannot work any more
  out_of_memory,  ///< a task got no more memory
};
inline constexpr ErrorCode last_error_code = ErrorCode::out_of_memory;  ///< the highest number

/// The name of a code as it appears in logs and JSON, such as "no_space".
std::string_view to_string(ErrorCode code) noexcept;

/// The error every layer throws. The message names the thing and the place; the hint, if any, is
/// the remedy, printed on a line of its own. Immutable after construction.
class Error : public std::runtime_error {
 public:
  /// `message` in one line: what, where, why. `hint` may be empty.
  Error(ErrorCode code, const std::string& message, std::string hint = {})
      : std::runtime_error(message), code_(code), hint_(std::move(hint)) {}

  /// For decisions of programs; what() is for people.
  ErrorCode code() const noexcept { return code_; }
  /// The remedy, for people; empty if none is known.
  const std::string& hint() const noexcept { return hint_; }

 private:
  ErrorCode code_;
  std::string hint_;
};

/// An Error for a failed system call: "<what>: <text of errnum>", with the code that fits errnum
/// (ENOSPC and EDQUOT are no_space, with a hint; everything else is io).
Error system_error(int errnum, std::string_view what);

}  // namespace muster
