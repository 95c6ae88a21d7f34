#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/scheduling/failure_cause.hpp>
#include <muster/scheduling/job_spec.hpp>

namespace muster::scheduling {

/// When a worker is to blame: after attempts of so many chunks in a row failed there it gets
/// nothing for a while, the first time for `first`, then twice as long each time until something
/// succeeds.
struct SuspensionOptions {
  std::uint32_t after = 3;
  Duration first = std::chrono::seconds(1);
  Duration longest = std::chrono::minutes(1);
};

/// Whether a failure may be the worker's doing. A task that reports an error, or finds its input
/// changed, would do so everywhere.
constexpr bool may_be_the_workers(FailureCause cause) {
  return cause == FailureCause::crashed || cause == FailureCause::killed ||
         cause == FailureCause::out_of_memory || cause == FailureCause::no_space;
}

/// How a worker has fared. A machine that fails everything at once would otherwise attract
/// everything: it always has a slot free.
class Conduct {
 public:
  void succeeded() { *this = {}; }

  /// For how long the worker is to be suspended, if it is. The same chunk again does not count.
  std::optional<Duration> failed(JobId job, ChunkRef ref, const SuspensionOptions& options) {
    if (in_a_row_ != 0 && job == last_job_ && ref == last_chunk_) return std::nullopt;
    last_job_ = job;
    last_chunk_ = ref;
    if (++in_a_row_ < options.after) return std::nullopt;
    --in_a_row_;  // the next one suffices
    constexpr std::uint32_t doublings_max = 20;
    const Duration delay = options.first * (1U << std::min(suspensions_++, doublings_max));
    return std::min(delay, options.longest);
  }

 private:
  std::uint32_t in_a_row_ = 0;
  std::uint32_t suspensions_ = 0;
  JobId last_job_;
  ChunkRef last_chunk_;
};

}  // namespace muster::scheduling
