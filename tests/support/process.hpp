#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include <muster/base/file.hpp>

namespace muster::testing {

/// A program to run, with everything around it that a test may want to choose.
struct Command {
  std::vector<std::string> arguments;                    ///< the program first, looked up in PATH
  std::string input = {};                                ///< its standard input
  std::optional<std::filesystem::path> input_file = {};  ///< instead of `input`
  std::vector<std::string> environment = {};             ///< "NAME=value", on top of the test's own
  std::filesystem::path directory = {};                  ///< where it runs; empty: here
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
};

/// How a program ended. One that took too long was killed, and `timed_out` says so.
struct Finished {
  int exit_code = -1;  ///< -1 if a signal ended it
  int signal = 0;
  bool timed_out = false;
  std::string out;
  std::string err;

  /// For failure messages: the status and what was printed.
  std::string text() const;
};

/// A program that was started. Killed on destruction, unless waited for.
class Running {
 public:
  explicit Running(const Command& command);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  pid_t pid() const noexcept { return pid_; }
  void send(int signal) const { ::kill(pid_, signal); }
  bool ended();             ///< does not wait
  std::string err() const;  ///< what it has printed on standard error so far
  Finished wait();          ///< kills it when its time is over

 private:
  bool reap(int options);

  pid_t pid_ = 0;
  int status_ = 0;
  bool reaped_ = false;
  std::chrono::steady_clock::time_point deadline_;
  UniqueFd out_;
  UniqueFd err_;
};

/// Runs a program to its end.
Finished run(const Command& command);

/// Calls done() until it is true. False if that took longer than `limit`.
template <class Done>
bool eventually(Done&& done, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);  // bounded poll
  }
  return true;
}

/// Processes that live and whose environment holds "NAME=value"; their name by process id.
std::vector<std::pair<pid_t, std::string>> processes_marked(const std::string& mark);

/// Files that a process has open, by their names.
std::vector<std::string> open_files(pid_t pid);

}  // namespace muster::testing
