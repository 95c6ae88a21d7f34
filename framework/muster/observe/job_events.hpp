#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/clock.hpp>

namespace muster::observe {

/// What a job is going to do.
struct JobPlanned {
  std::string task;                        ///< its name in the plugin
  std::string plugin;                      ///< the name that the plugin gives itself
  std::uint64_t files = 0;                 ///< of input
  std::uint64_t input_bytes = 0;           ///< of all files
  std::uint64_t chunks = 0;                ///< of the map stage
  std::uint64_t chunk_bytes_largest = 0;   ///< 0 if there is no chunk
  std::uint64_t chunk_bytes_smallest = 0;  ///< 0 if there is no chunk
  std::uint32_t partitions = 0;            ///< 0 for a map-only task
  unsigned workers = 0;                    ///< task processes
  std::string coordinator = {};            ///< of the cluster that runs it; empty: this machine
};

/// How far a stage is. Bytes are of input; those of running chunks count as far as they are read.
struct StageProgress {
  std::string_view stage;         ///< "count", "map" or "reduce"
  std::uint32_t chunks_done = 0;  ///< committed
  std::uint32_t chunks = 0;       ///< in all
  std::uint64_t bytes_done = 0;   ///< of `bytes`
  std::uint64_t bytes = 0;        ///< in all
  std::uint64_t retries = 0;      ///< failed attempts that were tried again
  Duration elapsed{};             ///< since the stage started
};

/// An attempt ended without a result.
struct AttemptFailed {
  std::string_view stage;     ///< "count", "map" or "reduce"
  std::uint32_t chunk = 0;    ///< its number in the stage, from 0
  std::uint32_t attempt = 0;  ///< the chunk's first is 1
  std::string cause;          ///< such as "crashed"
  std::string message;        ///< one line for people
};

/// Follows a job while it runs. Called by the thread that runs the job, between its decisions: an
/// observer that is slow slows the job down. It must not throw.
class JobObserver {
 public:
  JobObserver() = default;
  JobObserver(const JobObserver&) = delete;
  JobObserver& operator=(const JobObserver&) = delete;
  virtual ~JobObserver() = default;

  /// Once, before anything runs.
  virtual void planned(const JobPlanned& plan) = 0;
  /// At the start of a stage, several times a second while it runs, and at its end.
  virtual void progress(const StageProgress& progress) = 0;
  /// At each; whether the chunk is tried again is decided afterwards.
  virtual void attempt_failed(const AttemptFailed& failure) = 0;
};

}  // namespace muster::observe
