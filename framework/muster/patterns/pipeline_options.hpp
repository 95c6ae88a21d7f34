#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <muster/base/clock.hpp>

namespace muster {

/// How much of a pipeline's stage runs and waits at a time.
struct StageOptions {
  /// Items of this stage in its executor at a time, at most. None: the executor's max_workers().
  std::optional<int> concurrency = std::nullopt;
  /// Items that wait in front of this stage, at most. None: as many as `concurrency`.
  std::optional<int> queue_max = std::nullopt;
  std::string name = {};  ///< for errors and statistics; empty: "stage 0" and so on
};

/// In which order results of a pipeline are given.
enum class Order : std::uint8_t {
  input,       ///< that of the inputs they come from
  completion,  ///< each as soon as it is there
};

/// An item that failed, for the handler of PipelineRunOptions.
struct DeadLetter {
  std::size_t position = 0;  ///< of the input it comes from, from 0
  std::size_t stage = 0;     ///< that failed, from 0
  std::string stage_name;    ///< as StageOptions::name has it
  std::exception_ptr error;  ///< what its function threw; never null
};

/// How one run of a pipeline goes, and what becomes of items that fail.
struct PipelineRunOptions {
  Order order = Order::input;  ///< of the results

  /// From the call of run() until the result asked for is there; over it, asking throws
  /// TimeoutError and what has not started is cancelled. None: for ever.
  std::optional<Duration> timeout = std::nullopt;

  /// Takes items that failed, and the output goes on without them. Called in the consuming thread,
  /// at the item's place in the output. What it throws ends the run. None: the first error does.
  std::function<void(const DeadLetter&)> dead_letter = {};

  /// Ends the run when it is triggered: nothing more starts, and asking throws CancelledError.
  std::stop_token stop = {};
};

/// What went through one stage so far. An item is counted in `in` when it is given to the executor,
/// and then in one of the others when it has left that.
struct StageStats {
  std::string name;           ///< as StageOptions::name has it
  std::uint64_t in = 0;       ///< given to the executor
  std::uint64_t out = 0;      ///< has a result
  std::uint64_t failed = 0;   ///< its function threw, or its executor did not take it
  std::uint64_t dropped = 0;  ///< it came to nothing, because the run ended
  std::size_t waiting = 0;    ///< in front of the stage now
  std::size_t running = 0;    ///< in the executor now
};

/// What went through a pipeline so far.
struct PipelineStats {
  std::vector<StageStats> stages;  ///< in their order
};

}  // namespace muster
