#pragma once

#include <string>
#include <vector>

#include <muster/base/clock.hpp>

namespace muster::launch {

/// A worker that a launcher has started or asked for, as far as the launcher can see it.
struct Pilot {
  enum class State {
    pending,  ///< asked for, and waits for its machine
    running,
    ending,   ///< does not count any more
    unknown,  ///< its machine does not answer; it may well run
  };

  std::string id;  ///< what its launcher knows it by
  State state = State::running;
  std::string place;  ///< for people: a process, a job and its node
  std::string log;    ///< the file that it writes to, on its machine
};

/// "pending", "running", "ending", "unknown".
const char* to_string(Pilot::State state) noexcept;

/// Starts the workers of one cluster by some means, finds them again, and ends them. It keeps no
/// record of them: what runs is asked for each time, by a mark that all workers of a cluster bear.
/// So whatever dies between starting and recording, nothing is forgotten. Not thread-safe.
class Launcher {
 public:
  Launcher() = default;
  virtual ~Launcher() = default;
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  /// Finds out what is missing before anything is started: programs, hosts that do not answer.
  /// Throws Error(usage or broken) with a remedy.
  virtual void check() = 0;
  /// Starts so many workers, or asks for them. If it throws, some may have been started.
  virtual void start(unsigned count) = 0;
  /// All that there are, pending ones too. Throws Error if nobody can tell.
  virtual std::vector<Pilot> pilots() = 0;
  /// Has these finish what they have begun and leave; one that is pending never comes.
  virtual void drain(const std::vector<Pilot>& which) = 0;
  /// Ends all: they may finish what they have begun for `grace`, are killed then, and what the
  /// launcher has made on other machines is removed. When it returns none is left; else it throws.
  virtual void end_all(Duration grace) = 0;
  /// How often pilots() may be asked without being a nuisance to anybody.
  virtual Duration poll_interval() const = 0;
};

}  // namespace muster::launch
