#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include <muster/base/file.hpp>
#include <muster/executors/errors.hpp>
#include <muster/executors/processes/output_buffer.hpp>
#include <muster/executors/processes/send_window.hpp>
#include <muster/executors/processes/spawn_protocol.hpp>
#include <muster/executors/processes/task_channel.hpp>

namespace muster::detail {

/// One task process as its pool sees it, from the wish to have it until its end was reported. Tasks
/// may be sent at once: they wait in the ring until the process runs.
///
/// Owns the shared memory, the pipe the process prints to, and a pidfd. Destroying it does not end
/// the process; the pool destroys it when that has ended. Thread safety is that of TaskChannel: the
/// pool's lock, but for receiving and reading output, which the pool's thread does.
class ChildHandle {
 public:
  /// `name` is the pool's own number for it. Throws Error(io) if the machine has no more memory or
  /// descriptors.
  ChildHandle(std::uint64_t name, const AreaGeometry& geometry, bool fresh,
              std::optional<unsigned> prefetch);

  /// Asks the zygote to make it. `wake` and `lead` are the eventfds of the parent's sleepers.
  SendOutcome request_spawn(int zygote, int wake, int lead);
  void spawned(pid_t pid, UniqueFd pidfd);

  std::uint64_t name() const noexcept { return name_; }
  pid_t pid() const noexcept { return pid_; }  ///< 0 until spawned
  TaskChannel& channel() noexcept { return channel_; }
  const TaskChannel& channel() const noexcept { return channel_; }

  /// Takes tasks that need no process of their own.
  bool accepts() const noexcept {
    return !fresh_ && !ending_ && channel_.in_flight_count() < window_.size() &&
           channel_.has_free_slot();
  }
  bool fresh() const noexcept { return fresh_; }
  SendWindow& window() noexcept { return window_; }

  std::uint64_t sent = 0;  ///< tasks, recalled ones not counted
  const TimePoint born = Clock::now();
  bool idle() const noexcept { return accepts() && channel_.in_flight_count() == 0; }
  bool ending() const noexcept { return ending_; }

  /// It is to end after what was sent; nothing more may be sent.
  void close();
  /// It is to end now.
  void kill();
  /// The same, by another signal; nothing more may be sent.
  void stop(int signal);
  /// It is to end now, since it has taken too much memory.
  void end_for_memory();
  /// It has ended.
  void end() noexcept { ending_ = true; }

  bool killed() const noexcept { return kill_wanted_ || stopped_with_ != 0; }  ///< by us
  bool took_too_much_memory() const noexcept { return took_too_much_memory_; }

  /// Whether it has answered to any task.
  bool replied() const noexcept { return replied_; }
  void note_reply() noexcept { replied_ = true; }

  int output() const noexcept { return output_.get(); }
  /// Reads what it printed, up to `bytes_max`. False at the end of the pipe.
  bool read_output(std::vector<std::string>& lines, std::size_t bytes_max);
  void finish_output(std::vector<std::string>& lines) { buffer_.finish(lines); }

  WorkerDeath describe_death(const SpawnMessage& exit) const;

 private:
  std::uint64_t name_;
  TaskChannel channel_;
  UniqueFd output_;
  UniqueFd output_for_child_;
  UniqueFd pidfd_;
  pid_t pid_ = 0;
  OutputBuffer buffer_;
  SendWindow window_;
  bool fresh_;
  bool ending_ = false;
  bool kill_wanted_ = false;
  bool took_too_much_memory_ = false;
  bool replied_ = false;
  int stopped_with_ = 0;
};

}  // namespace muster::detail
