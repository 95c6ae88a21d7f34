#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <muster/base/assert.hpp>
#include <muster/jobs/job_run.hpp>

namespace muster::jobs {

JobRun::JobRun(std::vector<std::unique_ptr<Stage>> stages)
    : stages_(std::move(stages)), reports_(stages_.size()), started_(stages_.size()) {}

scheduling::JobSpec JobRun::spec() const {
  scheduling::JobSpec out;
  for (const auto& stage : stages_) {
    out.push_back({stage->chunk_count(),
                   out.empty() ? scheduling::Edge::none : scheduling::Edge::barrier,
                   {}});
  }
  return out;
}

void JobRun::begin(TimePoint now, std::uint32_t stage) {
  if (started_[stage]) return;
  started_[stage] = now;
  reports_[stage].name = stages_[stage]->name();
}

Stage::Call JobRun::call(TimePoint now, std::uint32_t stage, std::uint32_t chunk,
                         std::string_view attempt) {
  begin(now, stage);
  return stages_[stage]->call(chunk, attempt);
}

void JobRun::accept(std::uint32_t stage, std::uint32_t chunk, std::string_view attempt,
                    std::string_view result) {
  stages_[stage]->accept(chunk, attempt, result);
  reports_[stage].bytes += stages_[stage]->chunk_bytes(chunk);
  ++reports_[stage].chunks;
}

void JobRun::reopened(std::uint32_t stage, std::uint32_t chunk) {
  reports_[stage].bytes -= stages_[stage]->chunk_bytes(chunk);
  --reports_[stage].chunks;
  finished_ = std::min(finished_, stage);
}

void JobRun::stage_finished(TimePoint now, std::uint32_t stage) {
  begin(now, stage);
  reports_[stage].elapsed = now - *started_[stage];
  finished_ = stage + 1;
}

void JobRun::failed(std::uint32_t stage, AttemptFailure failure) {
  if (end_) return;
  ++reports_[stage].retries[failure.cause];
  last_failure_ = std::move(failure);
}

void JobRun::ended(const scheduling::JobFinished& end) {
  end_ = end;
  decisive_failure_ = last_failure_;
}

std::optional<std::uint32_t> JobRun::current_stage() const {
  if (end_ || finished_ == stages_.size() || !started_[finished_]) return std::nullopt;
  return finished_;
}

observe::StageProgress JobRun::progress(TimePoint now, std::uint32_t index,
                                        std::uint64_t running_bytes) const {
  const Stage& stage = *stages_[index];
  observe::StageProgress out;
  out.stage = stage.name();
  out.chunks = stage.chunk_count();
  out.chunks_done = reports_[index].chunks;
  for (std::uint32_t i = 0; i < out.chunks; ++i) out.bytes += stage.chunk_bytes(i);
  out.bytes_done = std::min(out.bytes, reports_[index].bytes + running_bytes);
  for (std::size_t i = 0; i < scheduling::failure_cause_count; ++i) {
    out.retries += reports_[index].retries[static_cast<scheduling::FailureCause>(i)];
  }
  if (started_[index]) out.elapsed = now - *started_[index];
  return out;
}

std::optional<scheduling::Outcome> JobRun::outcome() const {
  return end_ ? std::optional(end_->outcome) : std::nullopt;
}

Error JobRun::error() const {
  if (end_ && end_->outcome == scheduling::Outcome::cancelled)
    return Error(ErrorCode::cancelled, "cancelled");
  MUSTER_ASSERT(end_);
  // Workers may say anything: that attempts were stopped, though nobody has asked for it.
  if (!end_->failure || !decisive_failure_)
    return Error(ErrorCode::worker_died, "its attempts were stopped by their workers");
  const scheduling::JobFailure& failure = *end_->failure;
  std::string message = stages_[failure.stage]->describe(failure.chunk);
  message +=
      failure.attempts == 1 ? " failed: " : fmt::format(" failed {} times: ", failure.attempts);
  return Error(decisive_failure_->code, message + decisive_failure_->message,
               decisive_failure_->hint);
}

}  // namespace muster::jobs
