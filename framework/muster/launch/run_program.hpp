#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <muster/base/clock.hpp>

namespace muster::launch {

/// A program to run, without a shell. The first argument is looked up in PATH.
struct ProgramCall {
  std::vector<std::string> arguments;
  std::string input = {};  ///< its standard input
  std::string without_variables =
      {};  ///< not handed on: those whose name begins so; empty: all are
};

/// How a program ended, or why it did not start.
struct ProgramEnd {
  int start_error = 0;  ///< errno, if it could not be started
  int exit_code = -1;   ///< -1 if a signal ended it
  bool timed_out = false;
  std::string out;
  std::string err;

  bool ok() const noexcept { return start_error == 0 && exit_code == 0; }
  /// For messages: the last line that it wrote on standard error, or else how it ended.
  std::string reason() const;
};

/// Runs all of them at the same time and waits for them; what takes longer than `limit` is killed.
/// The ends are in the order of the calls. Thread-safe. Throws Error(io) if the system has no
/// descriptors left.
std::vector<ProgramEnd> run_programs(const std::vector<ProgramCall>& calls, Duration limit);
ProgramEnd run_program(const ProgramCall& call, Duration limit);

/// A program that goes on by itself: in a session of its own, with nothing of ours but the working
/// directory, and environment; standard input is empty, all output is appended to `log`.
struct DetachedProgram {
  std::vector<std::string> arguments;
  std::string variable;  ///< "NAME=VALUE", on top of the environment; empty: none
  std::filesystem::path log;
};

/// When it returns, the program runs (or has ended), and its environment can be seen by others.
/// Throws Error(usage) if it cannot be started. The caller is its parent, and may reap it.
pid_t start_detached(const DetachedProgram& program);

/// Whether a child has ended, or is none of ours; it is not reaped.
bool has_ended(pid_t child);

/// The file that a shell would run for this name; none if there is no such program.
std::optional<std::filesystem::path> find_program(const std::string& name);

}  // namespace muster::launch
