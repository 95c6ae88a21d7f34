#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "auditor.hpp"

namespace muster::simulation {
namespace {

std::string name(JobId job, std::uint32_t stage, std::uint32_t chunk) {
  return "job " + std::to_string(job.value) + " stage " + std::to_string(stage) + " chunk " +
         std::to_string(chunk);
}

}  // namespace

void Auditor::on_action(const StartAttempt& action) {
  expect(action.attempt.value == last_attempt_ + 1, "an attempt id is skipped or used again");
  last_attempt_ = std::max(last_attempt_, action.attempt.value);
  const auto entry = jobs_.find(action.job);
  const auto worker = workers_.find(action.worker);
  if (entry == jobs_.end() || action.stage >= entry->second.stages.size() ||
      action.chunk >= entry->second.stages[action.stage].chunks.size() ||
      worker == workers_.end() || attempts_.contains(action.attempt)) {
    expect(false, "a start names what does not exist");
    return;
  }
  Job& job = entry->second;
  Chunk& chunk = job.stages[action.stage].chunks[action.chunk];
  check_start(action, job, chunk);
  if (chunk.running != 0) check_second(action, job.stages[action.stage], worker->second);
  expect(worker->second.room() > 0, "worker " + std::to_string(action.worker.value) +
                                        " gets more than it has room for, or wants");
  if (!action.alone && chunk.running == 0) check_turn(action.job, job);

  if (++chunk.running == 1) ++job.stages[action.stage].running;
  const ChunkRef ref{action.stage, action.chunk};
  if (chunk.latest) held_.erase({*chunk.latest, action.job, ref});
  chunk.latest.reset();
  chunk.not_before.reset();
  recount(job, ref);
  job.attempts.insert(action.attempt);
  alone_running_ += action.alone ? 1 : 0;
  attempts_[action.attempt] = {action.job, ref, action.worker, action.alone, false, false, now_};
  change(worker->second, [&] { worker->second.attempts.insert(action.attempt); });
}

void Auditor::check_start(const StartAttempt& action, const Job& job, const Chunk& chunk) {
  const std::string what = name(action.job, action.stage, action.chunk);
  const RetryBudgets& budgets = job.stages[action.stage].spec.budgets;
  expect(!job.outcome && !expected_ends_.contains(action.job),
         what + " starts after its job ended");
  expect(!chunk.committed && !chunk.over, what + " starts after it has ended");
  expect(dependence_met(job, {action.stage, action.chunk}), what + " starts too early in its job");
  expect(!chunk.not_before || *chunk.not_before <= now_, what + " cuts its back-off short");
  expect(action.attempt_number == chunk.failures + 1, what + " has a wrong attempt number");
  expect(action.second == (chunk.running != 0), what + " is wrong about being the second");
  expect(chunk.running != 0 ||
             action.alone == (chunk.charges[FailureCause::crashed] >= crashes_before_quarantine),
         what + " is wrong about its quarantine");
  expect(!action.alone || alone_running_ == 0, what + " is not the only one in quarantine");
  for (std::uint32_t i = 0; i < failure_cause_count; ++i) {
    const auto cause = static_cast<FailureCause>(i);
    expect(chunk.charges[cause] < budgets.of(cause), what + " starts beyond its budget");
  }
}

void Auditor::check_second(const StartAttempt& action, const Stage& stage, const Worker& worker) {
  const std::string what = name(action.job, action.stage, action.chunk);
  ++counts_.speculative;
  const bool may = speculation_ && stage.spec.speculate && stage.chunks[action.chunk].running == 1;
  const std::size_t enough = std::max<std::size_t>(1, stage.chunks.size() * 3 / 4);
  std::size_t wanted = speculation_ ? speculation_->samples : 0;
  if (!stage.spec.stream) wanted = std::min(wanted, enough);
  expect(may && stage.successes >= wanted, what + " runs twice");
  if (!may || stage.successes == 0) return;
  const Duration limit =
      std::max(speculation_->at_least, stage.took / static_cast<Duration::rep>(stage.successes) *
                                           static_cast<Duration::rep>(speculation_->times));
  for (const auto& [id, other] : attempts_) {
    if (other.job != action.job || other.ref != ChunkRef{action.stage, action.chunk} ||
        other.cancelled)
      continue;
    expect(other.started + limit <= now_, what + " is helped before it is late");
    expect(other.worker != action.worker, what + " runs twice on a worker");
    expect(!other.alone, what + " runs twice in quarantine");
  }
  expect(!action.alone, what + " has a second attempt in quarantine");
  expect(startable_ == 0, what + " runs twice while other chunks are ready");
  expect(worker.free_slots() > 0, what + " has a second attempt that waits");
}

void Auditor::on_action(const CancelAttempt& action) {
  const auto entry = attempts_.find(action.attempt);
  if (entry == attempts_.end() || entry->second.cancelled) {
    expect(false, "what does not run is cancelled");
    return;
  }
  Attempt& attempt = entry->second;
  expect(attempt.worker == action.worker, "a cancel goes to the wrong worker");
  const bool overtaken = expected_commit_ && expected_commit_->job == attempt.job &&
                         expected_commit_->stage == attempt.ref.stage &&
                         expected_commit_->chunk == attempt.ref.chunk;
  const bool is_over = over_.contains({attempt.job, attempt.ref.chunk});
  expect(overtaken || is_over || expected_ends_.contains(attempt.job),
         "an attempt of a running job is cancelled");
  counts_.overtaken += overtaken ? 1 : 0;
  change(workers_.at(attempt.worker), [&] { attempt.cancelled = true; });
  jobs_.at(attempt.job).attempts.erase(action.attempt);
  stop_running(attempt);
}

/// No job that could start something has the better right to.
void Auditor::check_turn(JobId id, const Job& job) {
  const auto turn = [](const Job& of) {
    const std::uint64_t weight = std::max<std::uint64_t>(1, of.rank.weight);
    return std::tuple(-std::int64_t{of.rank.priority}, (of.attempts.size() << 32U) / weight,
                      of.order);
  };
  for (const auto& [other_id, other] : jobs_) {
    if (other.startable == 0 || other_id == id) continue;
    expect(turn(job) < turn(other), "job " + std::to_string(id.value) + " gets the turn of job " +
                                        std::to_string(other_id.value));
  }
}

/// Those that the worker cannot run yet, and that may still be called back.
std::uint64_t Auditor::waiting_at(const Worker& worker) const {
  std::uint64_t steady = 0;
  std::uint64_t kept = 0;
  for (const AttemptId id : worker.attempts) {
    const Attempt& attempt = attempts_.at(id);
    if (!attempt.cancelled && !attempt.recalled && !attempt.alone) ++(attempt.kept ? kept : steady);
  }
  return std::min(steady, steady + kept - std::min<std::uint64_t>(steady + kept, worker.slots));
}

void Auditor::on_action(const RecallAttempt& action) {
  const auto entry = attempts_.find(action.attempt);
  if (entry == attempts_.end() || entry->second.worker != action.worker) {
    expect(false, "a recall names what is not there");
    return;
  }
  Attempt& attempt = entry->second;
  const Worker& worker = workers_.at(action.worker);
  expect(!attempt.cancelled && !attempt.recalled && !attempt.alone && !attempt.kept,
         "a recall is for nothing");
  expect(waiting_at(worker) > 0, "a worker is to give back what it can run");
  // The oldest run, and before them those of which that is known.
  const auto position =
      std::count_if(worker.attempts.begin(), worker.attempts.end(),
                    [&](AttemptId id) { return id < action.attempt || attempts_.at(id).kept; });
  expect(position >= worker.slots, "what runs is recalled");
  expect(startable_ == 0, "an attempt is recalled while a chunk is ready");
  expect(recalls_out_ < static_cast<std::uint64_t>(free_slots_), "a recall for no free slot");
  change(workers_.at(action.worker), [&] { attempt.recalled = true; });
  ++recalls_out_;
  ++counts_.recalled;
}

void Auditor::on_action(const WorkerExpired& action) {
  const auto worker = workers_.find(action.worker);
  if (worker == workers_.end() || !lease_) {
    expect(false, "a worker expires that is not there, or has no lease");
    return;
  }
  expect(worker->second.heard + *lease_ <= now_, "a worker expires before its lease is over");
  ++counts_.expired;
  lose(action.worker);
}

void Auditor::on_action(const WorkerSuspended& action) {
  expect(std::exchange(expected_suspension_, std::nullopt) == action.worker,
         "a worker is suspended without a reason");
  const auto worker = workers_.find(action.worker);
  if (worker == workers_.end() || !suspension_) return;
  expect(action.time >= suspension_->first && action.time <= suspension_->longest,
         "a worker is suspended for too short a time, or too long");
  ++counts_.suspended;
  change(worker->second, [&] { worker->second.suspended_until = now_ + action.time; });
}

void Auditor::on_action(const WorkerReleased& action) {
  const auto worker = workers_.find(action.worker);
  if (worker == workers_.end()) {
    expect(false, "a worker is released that is not there");
    return;
  }
  const Worker& released = worker->second;
  expect(released.draining && released.attempts.empty() && released.kept == 0,
         "a worker is released too early");
  ++counts_.released;
  remove(worker);
}

void Auditor::on_action(const ChunkFinished& action) {
  const std::string what = name(action.job, action.stage, action.chunk);
  if (std::exchange(expected_commit_, std::nullopt) != action) {
    expect(false, what + " commits without a success that counts");
    return;
  }
  Job& job = jobs_.at(action.job);
  Stage& stage = job.stages[action.stage];
  Chunk& chunk = stage.chunks[action.chunk];
  expect(!chunk.committed && !chunk.over, what + " commits and has ended");
  expect(!job.outcome, what + " commits after its job ended");
  expect(chunk.running == 0, what + " commits and still runs");
  chunk.committed = true;
  if (job.is_stream()) moved_streams_.insert(action.job);
  ++stage.committed;
  ++commits_;
  if (stage.spec.keeps_output) {
    chunk.kept_at = committing_;
    kept_[committing_].insert({action.job, {action.stage, action.chunk}});
    Worker& worker = workers_.at(committing_);
    change(worker, [&] { ++worker.kept; });
  }
  const std::uint32_t next = action.stage + 1;
  if (next < job.stages.size() && job.stages[next].spec.edge == Edge::each)
    recount(job, {next, action.chunk});
}

void Auditor::on_action(const ChunkReopened& action) {
  const std::string what = name(action.job, action.stage, action.chunk);
  const auto entry = jobs_.find(action.job);
  if (entry == jobs_.end() || action.stage + 1 >= entry->second.stages.size()) {
    expect(false, what + " is reopened, which nothing waits for");
    return;
  }
  Job& job = entry->second;
  Stage& stage = job.stages[action.stage];
  Stage& next = job.stages[action.stage + 1];
  if (stage.lost.erase(action.chunk) == 0) {
    expect(false, what + " is reopened, and nothing of it was lost");
    return;
  }
  expect(next.committed != next.spec.chunk_count, what + " is reopened in vain");
  Chunk& chunk = stage.chunks[action.chunk];
  const Queue counted = chunk.counted;
  chunk = {};
  chunk.counted = counted;
  --stage.committed;
  ++counts_.reopened;
  if (std::exchange(stage.finished, false)) --job.stages_finished;
  recount(job, {action.stage, action.chunk});
  recount_stage(job, action.stage + 1);
}

/// What is lost and needed has been reopened.
void Auditor::check_lost() {
  for (const JobId id : std::exchange(with_losses_, {})) {
    const Job& job = jobs_.at(id);
    for (std::size_t s = 0; s + 1 < job.stages.size() && !job.outcome; ++s) {
      const Stage& next = job.stages[s + 1];
      if (job.stages[s].lost.empty()) continue;
      with_losses_.insert(id);
      expect(next.committed == next.spec.chunk_count, "what is lost and needed is not made again");
    }
  }
}

void Auditor::on_action(const ChunkFailed& action) {
  const auto expected = expected_failures_.find({action.job, action.chunk});
  if (expected == expected_failures_.end() || expected->second != action) {
    expect(false, name(action.job, 0, action.chunk) + " fails as nothing implies");
    return;
  }
  expected_failures_.erase(expected);
  ++stream_counts_.failed;
}

/// Streams end with their last chunk, and what has ended does not run.
void Auditor::check_streams() {
  expect(expected_failures_.empty(), "a chunk without budget does not fail");
  for (const auto& [id, chunk] : std::exchange(over_, {}))
    expect(jobs_.at(id).stages.front().chunks[chunk].running == 0,
           name(id, 0, chunk) + " has ended and still runs");
  for (const JobId id : std::exchange(moved_streams_, {})) {
    const Job& job = jobs_.at(id);
    const bool is_done = job.sealed && job.stages.front().is_complete();
    expect(!is_done || job.outcome, "a sealed stream does not end");
  }
}

void Auditor::on_action(const StageFinished& action) {
  Job& job = jobs_.at(action.job);
  Stage& stage = job.stages.at(action.stage);
  expect(!job.outcome, "a stage finishes after its job ended");
  expect(!stage.finished, "a stage finishes twice");
  expect(stage.is_complete(), "a stage finishes incomplete");
  expect(!job.is_stream() || job.sealed, "a stream finishes that is not sealed");
  expect(stage.spec.edge == Edge::none || job.stages[action.stage - 1].finished,
         "a stage finishes before the one it waits for");
  stage.finished = true;
  ++job.stages_finished;
  const std::uint32_t next = action.stage + 1;
  if (next < job.stages.size() && job.stages[next].spec.edge == Edge::barrier)
    recount_stage(job, next);
  if (job.stages_finished == job.stages.size())
    expected_ends_[action.job] = {action.job, Outcome::succeeded, {}};
}

void Auditor::on_action(const JobFinished& action) {
  const auto expected = expected_ends_.find(action.job);
  if (expected == expected_ends_.end() || expected->second != action) {
    expect(false, "job " + std::to_string(action.job.value) + " ends as nothing implies");
    return;
  }
  expected_ends_.erase(expected);
  Job& job = jobs_.at(action.job);
  expect(!job.outcome, "a job ends twice");
  expect(job.attempts.empty(), "a job ends and leaves attempts running");
  job.outcome = action.outcome;
  for (std::uint32_t s = 0; s < job.stages.size(); ++s) {
    recount_stage(job, s);
    for (std::uint32_t c = 0; c < job.stages[s].chunks.size(); ++c) {
      const auto latest = std::exchange(job.stages[s].chunks[c].latest, std::nullopt);
      if (latest) held_.erase({*latest, action.job, {s, c}});
      const auto at = std::exchange(job.stages[s].chunks[c].kept_at, std::nullopt);
      if (!at) continue;
      kept_[*at].erase({action.job, {s, c}});
      Worker& worker = workers_.at(*at);
      change(worker, [&] { --worker.kept; });
    }
  }
}

void Auditor::on_action(const JobRejected& action) {
  expect(std::exchange(expected_rejection_, std::nullopt) == action,
         "a job is rejected without a reason");
}

void Auditor::check_settled(bool was_expire, std::optional<TimePoint> next_deadline) {
  expect(!expected_commit_, "a success is not committed");
  expect(!expected_rejection_, "a contradictory job is not rejected");
  expect(expected_ends_.empty(), "a job that should have ended did not");
  expect(!expected_suspension_, "a worker on which all fails is not suspended");
  check_workers(was_expire, next_deadline);
  check_held(next_deadline);
  check_lost();
  check_streams();
}

void Auditor::check_workers(bool was_expire, std::optional<TimePoint> next_deadline) {
  expect(room_ == 0 || startable_ == 0, "there is room while a chunk could run");
  expect(room_ == 0 || quarantined_ == 0 || alone_running_ > 0,
         "there is room while a quarantined chunk could run");
  expect(waiting_ == 0 || static_cast<std::int64_t>(recalls_out_) >= free_slots_,
         "attempts wait while slots are free");
  expect(unreleased_ == 0, "a drained worker is not released");
  const bool any_cause = !held_.empty() || !leases_.empty() || !suspended_.empty() ||
                         (speculation_ && !attempts_.empty());
  expect(!next_deadline || any_cause, "there is a deadline for nothing");
  expect(suspended_.empty() || (next_deadline && *next_deadline <= suspended_.begin()->first),
         "the end of a suspension is forgotten");
  if (leases_.empty()) return;
  const TimePoint first = leases_.begin()->first;
  expect(!was_expire || first > now_, "a lease is over and nobody minds");
  expect(next_deadline && *next_deadline <= first, "a lease is forgotten");
}

/// With room, the earliest back-off either has a deadline in time or waits for its turn in
/// quarantine. (Without, the chunk may already wait for some.) Only the scheduler knows the jitter:
/// a chunk whose back-off may be over by now may also wait for its stage.
void Auditor::check_held(std::optional<TimePoint> next_deadline) {
  // One that is over while its stage is blocked leads to nothing, and so to no deadline.
  while (!held_.empty() && held_.begin()->latest <= now_ &&
         !dependence_met(jobs_.at(held_.begin()->job), held_.begin()->ref))
    end_first_back_off();
  if (room_ == 0) return;
  const auto chunk_of = [this](const Held& held) -> const Chunk& {
    return jobs_.at(held.job).stages[held.ref.stage].chunks[held.ref.chunk];
  };
  const auto found = std::find_if(held_.begin(), held_.end(), [&](const Held& held) {
    return chunk_of(held).not_before > now_ || dependence_met(jobs_.at(held.job), held.ref);
  });
  if (found == held_.end()) return;
  const Held& first = *found;
  const Chunk& chunk = chunk_of(first);
  const bool is_alone = chunk.charges[FailureCause::crashed] >= crashes_before_quarantine;
  if (is_alone && alone_running_ > 0) return;
  expect(next_deadline && *next_deadline <= first.latest, "a back-off is forgotten");
}

void Auditor::check_progress(const Core& core) {
  for (const auto& [id, job] : jobs_) {
    const JobProgress* progress = core.find_job(id);
    if (progress == nullptr) continue;
    expect(!job.forgotten, "a job is not forgotten");
    expect(progress->outcome == job.outcome, "progress is wrong about how a job ended");
    for (std::size_t s = 0; s < job.stages.size(); ++s) {
      const Stage& stage = job.stages[s];
      const StageProgress& counts = progress->stages[s];
      expect(counts.done == stage.committed && counts.running == stage.running &&
                 counts.failed == stage.failed && counts.cancelled == stage.cancelled &&
                 counts.pending == stage.spec.chunk_count - stage.committed - stage.running -
                                       stage.failed - stage.cancelled,
             "progress miscounts chunks");
    }
  }
}

void Auditor::check_all_ended() {
  for (const auto& [id, job] : jobs_)
    expect(job.outcome.has_value(), "job " + std::to_string(id.value) + " never ends");
  expect(attempts_.empty(), "attempts are left over");
}

}  // namespace muster::simulation
