
#include <fmt/format.h>

#include <muster/cli/exit_code.hpp>
#include <muster/cli/streams.hpp>

namespace muster::cli {

ExitCode exit_code_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::usage:
    case ErrorCode::plugin:
      return ExitCode::usage;
    case ErrorCode::cancelled:
      return ExitCode::cancelled;
    default:
      return ExitCode::job_failed;
  }
}

void print_error(const Error& error) {
  say(fmt::format("error: {}\n", error.what()));
  if (!error.hint().empty()) say(fmt::format("  hint: {}\n", error.hint()));
}

}  // namespace muster::cli
