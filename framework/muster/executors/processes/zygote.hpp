#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include <sys/types.h>

#include <muster/base/file.hpp>
#include <muster/executors/processes/spawn_protocol.hpp>

namespace muster::detail {

/// The process that task processes are forks of. It has one thread and does nothing but fork and
/// reap, so that forking it is cheap and safe, whatever the program does meanwhile.
///
/// Rules, and why:
/// - It never blocks on a pool: what a pool does not read yet is queued, so that one pool whose
///   thread is busy does not hold up the others.
/// - It is in a process group of its own: a terminal's Ctrl-C reaches the program alone, which
///   decides what becomes of the tasks.
/// - It dies with the program, and its children with it, by the kernel's doing (PDEATHSIG).
class Zygote {
 public:
  explicit Zygote(UniqueFd control);

  /// Serves until the program's end of the control socket is closed. Returns then; the caller
  /// exits.
  void run();

 private:
  struct Report {
    SpawnMessage message;
    UniqueFd pidfd;
  };
  struct Connection {
    std::uint64_t id = 0;
    UniqueFd socket;
    std::deque<Report> unsent;
  };
  struct Child {
    std::uint64_t connection = 0;
    std::uint64_t name = 0;
  };

  bool accept_connections();
  bool serve(Connection& connection);
  void spawn(Connection& connection, const ReceivedMessage& request);
  void kill(const Connection& connection, std::uint64_t name);
  void reap();
  void close_connection(const Connection& connection);
  Connection* find(std::uint64_t connection);
  static bool flush(Connection& connection);

  UniqueFd control_;
  UniqueFd child_signals_;
  std::vector<Connection> connections_;
  std::unordered_map<pid_t, Child> children_;
  std::uint64_t next_connection_ = 0;
};

/// The whole life of the zygote process, from just after the fork. `parent` is the pid of the
/// program, to notice if it died before the kernel was asked to end us with it.
[[noreturn]] void zygote_main(UniqueFd control, pid_t parent) noexcept;

}  // namespace muster::detail
