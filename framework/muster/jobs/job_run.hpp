#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/error.hpp>
#include <muster/jobs/attempt_failure.hpp>
#include <muster/jobs/stage.hpp>
#include <muster/observe/job_events.hpp>
#include <muster/scheduling/actions.hpp>
#include <muster/scheduling/job_spec.hpp>

namespace muster::jobs {

/// What a stage took.
struct StageReport {
  std::string name;                                  ///< "count", "map" or "reduce"
  std::uint32_t chunks = 0;                          ///< in all
  std::uint64_t bytes = 0;                           ///< of its input
  Duration elapsed{};                                ///< from its start to its last commit
  scheduling::PerCause<std::uint64_t> retries = {};  ///< failed attempts that were tried again
};

/// One job, as a shell of the scheduler keeps it: its stages, how far they are, and what has
/// failed. It is told of what the scheduler has decided, and decides nothing. Not thread-safe.
class JobRun {
 public:
  explicit JobRun(std::vector<std::unique_ptr<Stage>> stages);

  /// For the scheduler: each stage waits for the whole of the one before.
  scheduling::JobSpec spec() const;
  const Stage& stage(std::uint32_t index) const { return *stages_[index]; }
  std::uint32_t stage_count() const { return static_cast<std::uint32_t>(stages_.size()); }

  /// What the attempt runs; the stage begins with its first one.
  Stage::Call call(TimePoint now, std::uint32_t stage, std::uint32_t chunk,
                   std::string_view attempt);
  /// See Stage::accept.
  void accept(std::uint32_t stage, std::uint32_t chunk, std::string_view attempt,
              std::string_view result);
  void reopened(std::uint32_t stage, std::uint32_t chunk);
  void stage_finished(TimePoint now, std::uint32_t stage);
  /// An attempt has failed; kept as what may fail the job.
  void failed(std::uint32_t stage, AttemptFailure failure);
  /// The job has ended. What fails afterwards, while all is stopped, does not count.
  void ended(const scheduling::JobFinished& end);

  bool has_begun(std::uint32_t stage) const { return started_[stage].has_value(); }
  /// The stage that runs; none before the first has begun and after the last has finished.
  std::optional<std::uint32_t> current_stage() const;
  /// `running_bytes`: of input, read by attempts that run.
  observe::StageProgress progress(TimePoint now, std::uint32_t index,
                                  std::uint64_t running_bytes) const;
  const std::vector<StageReport>& reports() const noexcept { return reports_; }
  std::optional<scheduling::Outcome> outcome() const;
  /// Of a job that did not succeed: what to tell of it.
  Error error() const;

 private:
  void begin(TimePoint now, std::uint32_t stage);

  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<StageReport> reports_;
  std::vector<std::optional<TimePoint>> started_;
  std::uint32_t finished_ = 0;  ///< stages
  std::optional<AttemptFailure> last_failure_;
  std::optional<AttemptFailure> decisive_failure_;
  std::optional<scheduling::JobFinished> end_;
};

}  // namespace muster::jobs
