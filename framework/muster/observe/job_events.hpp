#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/clock.hpp>

namespace muster::observe {

/// What a job is going to do.
struct JobPlanned {
  std::string task;
  std::string plugin;
  std::uint64_t files = 0;
  std::uint64_t input_bytes = 0;
  std::uint64_t chunks = 0;
  std::uint64_t chunk_bytes_largest = 0;
  std::uint64_t chunk_bytes_smallest = 0;
  std::uint32_t partitions = 0;  ///< 0 for a map-only task
  unsigned workers = 0;
};

/// How far a stage is. Bytes are of input; those of running chunks count as far as they are read.
struct StageProgress {
  std::string_view stage;  ///< "count", "map" or "reduce"
  std::uint32_t chunks_done = 0;
  std::uint32_t chunks = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes = 0;
  std::uint64_t retries = 0;
  Duration elapsed{};
};

/// An attempt ended without a result.
struct AttemptFailed {
  std::string_view stage;
  std::uint32_t chunk = 0;
  std::uint32_t attempt = 0;  ///< the chunk's first is 1
  std::string cause;          ///< such as "crashed"
  std::string message;
};

/// Follows a job while it runs. Called by the thread that runs the job, between its decisions: an
/// observer that is slow slows the job down. It must not throw.
class JobObserver {
 public:
  JobObserver() = default;
  JobObserver(const JobObserver&) = delete;
  JobObserver& operator=(const JobObserver&) = delete;
  virtual ~JobObserver() = default;

  virtual void planned(const JobPlanned& plan) = 0;
  /// At the start of a stage, several times a second while it runs, and at its end.
  virtual void progress(const StageProgress& progress) = 0;
  virtual void attempt_failed(const AttemptFailed& failure) = 0;
};

}  // namespace muster::observe
