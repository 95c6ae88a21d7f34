#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <muster/base/file.hpp>
#include <muster/executors/code_address.hpp>
#include <muster/executors/processes/zygote_link.hpp>
#include <muster/executors/remote_call.hpp>

namespace muster::detail {

// A program's tasks can run where another program wants them: that one starts the first, with a
// socket whose number stands in the environment. When the first comes to init() it becomes a zygote
// at that socket, and says where its code is entered.

/// In init(): the socket, if the program was started for this. Throws Error(usage) if there is
/// something else in its place.
UniqueFd take_host_socket();

/// Says hello and serves as the zygote.
[[noreturn]] void serve_as_task_host(UniqueFd socket);

/// What precedes the bytes of a call that is sent to such a program: what run_task_by_address()
/// reads.
Bytes call_by_address(const CodeAddress& function);

/// What a setup could not do.
struct HostSetupFailure {
  const char* step = "";  ///< in a few words
  int error = 0;          ///< an errno; 0: nothing has failed
};

/// A program that was started for its tasks. Must be made and destroyed by one thread which lives
/// as long: the kernel kills the program when that ends.
class TaskHost final : public ZygoteLink {
 public:
  struct Command {
    std::string file;                      ///< to execute
    std::string name;                      ///< argv[0]: what the program is called
    std::vector<std::string> environment;  ///< "NAME=VALUE"; nothing else is inherited
    /// Runs in the new process right before the program does, which is not started if this fails.
    /// Other threads may have held any lock when it was forked: it may make system calls, and
    /// neither allocate nor throw.
    std::function<HostSetupFailure()> setup = {};
  };

  /// Starts it; returns when it is that program. Throws Error(io) if it cannot be.
  explicit TaskHost(const Command& command);
  ~TaskHost() override;  ///< kills it, and with it what runs for it

  /// Becomes readable when poll_greeting() may have something.
  int socket() const noexcept { return control_.get(); }
  /// True once the program is ready. Never blocks. Throws Error(usage) if it ended before, or is
  /// one of another muster.
  bool poll_greeting();
  /// In the program's task processes: runs the call that the bytes after call_by_address() are of.
  RemoteFunction entry() const noexcept { return entry_; }
  pid_t pid() const noexcept { return pid_; }

  UniqueFd connect() override;
  void bury() override;

 private:
  void await_exec(int pipe, const std::string& file);
  std::string describe_end();

  std::string name_;
  UniqueFd control_;
  pid_t pid_ = 0;
  RemoteFunction entry_ = nullptr;
};

}  // namespace muster::detail
