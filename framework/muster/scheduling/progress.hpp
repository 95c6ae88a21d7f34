#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <muster/scheduling/actions.hpp>
#include <muster/scheduling/failure_cause.hpp>

namespace muster::scheduling {

/// pending + running + done + failed + cancelled is the stage's chunk count. Once the job has
/// ended, nothing is running: chunks whose attempts were cancelled count as pending.
struct StageProgress {
  std::uint32_t pending = 0;
  std::uint32_t running = 0;
  std::uint32_t done = 0;
  std::uint32_t failed = 0;              ///< of a stream
  std::uint32_t cancelled = 0;           ///< of a stream
  PerCause<std::uint64_t> retries = {};  ///< failed attempts that were followed by another try

  friend bool operator==(const StageProgress&, const StageProgress&) = default;
};

struct JobProgress {
  std::optional<Outcome> outcome = {};  ///< empty while the job runs
  std::vector<StageProgress> stages = {};
};

/// Counts over the scheduler's whole life.
struct Counters {
  std::uint64_t attempts_started = 0;
  std::uint64_t reopened = 0;       ///< chunks that had to be run again since their output was lost
  std::uint64_t speculative = 0;    ///< of those started, second ones of their chunk
  std::uint64_t stale_results = 0;  ///< results of unknown, ended or cancelled attempts
  std::uint64_t ignored_events = 0;  ///< other events about what is unknown, known or ended already
};

}  // namespace muster::scheduling
