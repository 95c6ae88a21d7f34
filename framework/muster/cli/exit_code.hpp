#pragma once

#include <muster/base/error.hpp>

namespace muster::cli {

/// The exit codes of every program, as the manual has them.
enum class ExitCode : int {
  ok = 0,
  job_failed = 1,
  usage = 2,  ///< also a spec or plugin that does not fit
  cancelled = 5,
};

ExitCode exit_code_of(ErrorCode code) noexcept;

/// Prints "error: <message>" and, if there is one, the hint, on standard error.
void print_error(const Error& error);

}  // namespace muster::cli
