#pragma once

#include <cstdint>
#include <optional>

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/base/random.hpp>
#include <muster/scheduling/failure_cause.hpp>
#include <muster/scheduling/job_spec.hpp>

namespace muster::scheduling {

/// How long the retries of killed attempts, and of those whose input was lost, wait: the first not
/// at all, the second `first`, then twice as long each time, up to `longest`; each is scaled by a
/// random factor from [0.5, 1).
struct BackOff {
  Duration first = std::chrono::milliseconds(10);
  Duration longest = std::chrono::seconds(1);
};

/// What is remembered of a chunk that failed; chunks that never did cost nothing.
struct FailureRecord {
  PerCause<std::uint32_t> charges = {};
  std::uint32_t failures = 0;              ///< of all causes
  WorkerId last_worker = {};               ///< where the latest one happened
  std::optional<TimePoint> deadline = {};  ///< set while the chunk waits for its back-off
};

/// What a failed attempt leads to: another try after a delay, or the end of the job.
///
/// Rationale: only `killed` and `input_lost` wait. Their usual reasons are an overloaded machine, a
/// person tidying up, a network that is down, which pass; the other causes do not get better with
/// time on another worker. A batch that failed together would otherwise come back together, hence
/// the jitter.
class RetryPolicy {
 public:
  RetryPolicy(BackOff back_off, std::uint64_t seed) : back_off_(back_off), random_(seed) {}

  /// Charges the failure to the record. Returns the delay of the retry, or nothing if the budget
  /// of the cause is used up.
  std::optional<Duration> charge(FailureRecord& record, FailureCause cause,
                                 const RetryBudgets& budgets);

 private:
  Duration delay_after(std::uint32_t failures);

  BackOff back_off_;
  Random random_;
};

/// A chunk on which this many processes crashed is quarantined: it runs in a fresh process of its
/// own, one such chunk at a time. Rationale: if it crashes there too, the chunk is to blame and not
/// what its process had run before, and it can take nothing else down with it.
inline constexpr std::uint32_t crashes_before_quarantine = 2;

inline bool is_quarantined(const FailureRecord& record) {
  return record.charges[FailureCause::crashed] >= crashes_before_quarantine;
}

}  // namespace muster::scheduling
