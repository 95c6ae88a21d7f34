#include "auditor.hpp"

#include <algorithm>
#include <chrono>

namespace muster::simulation {

using std::chrono::milliseconds;

void Auditor::step(TimePoint now, const Event* event, const std::vector<Action>& actions,
                   std::optional<TimePoint> next_deadline) {
  now_ = now;
  ++steps_;
  if (event != nullptr) {
    std::visit([&](const auto& e) { on_event(e); }, *event);
  } else {
    on_expire();
  }
  for (const Action& action : actions) std::visit([&](const auto& a) { on_action(a); }, action);
  check_settled(next_deadline);
}

void Auditor::expect(bool condition, const std::string& what) {
  if (!condition) violations_.push_back("step " + std::to_string(steps_) + ": " + what);
}

std::optional<Outcome> Auditor::outcome(JobId job) const {
  const auto entry = jobs_.find(job);
  return entry == jobs_.end() ? std::nullopt : entry->second.outcome;
}

void Auditor::on_event(const JobSubmitted& event) {
  std::optional<Rejection> rejection = validate(event.spec);
  if (jobs_.contains(event.job)) rejection = Rejection::duplicate_job;
  if (rejection) {
    expected_rejection_ = JobRejected{event.job, *rejection};
    return;
  }
  Job& job = jobs_[event.job];
  for (const StageSpec& spec : event.spec)
    job.stages.push_back({spec, std::vector<Chunk>(spec.chunk_count), 0, 0, false});
  for (std::uint32_t i = 0; i < job.stages.size(); ++i) recount_stage(job, i);
  if (event.spec.empty()) expected_ends_[event.job] = {event.job, Outcome::succeeded, {}};
}

void Auditor::on_event(const WorkerJoined& event) {
  if (workers_.try_emplace(event.worker, Worker{event.slots, {}}).second)
    free_slots_ += event.slots;
}

void Auditor::on_event(const WorkerLost& event) {
  const auto entry = workers_.find(event.worker);
  if (entry == workers_.end()) return;
  const Worker worker = entry->second;
  free_slots_ -= worker.slots - worker.attempts.size();
  workers_.erase(entry);
  for (const AttemptId id : worker.attempts) {
    const auto attempt = take_off(id, false);
    if (attempt && !expected_ends_.contains(attempt->job))
      charge(*attempt, FailureCause::worker_lost);
  }
}

void Auditor::on_event(const AttemptSucceeded& event) {
  const auto attempt = take_off(event.attempt, true);
  if (!attempt) return;
  expected_commit_ =
      ChunkFinished{attempt->job, attempt->ref.stage, attempt->ref.chunk, event.attempt};
}

void Auditor::on_event(const AttemptFailed& event) {
  if (const auto attempt = take_off(event.attempt, true)) charge(*attempt, event.cause);
}

void Auditor::on_event(const JobCancelled& event) {
  const auto entry = jobs_.find(event.job);
  if (entry != jobs_.end() && !entry->second.outcome)
    expected_ends_[event.job] = {event.job, Outcome::cancelled, {}};
}

void Auditor::on_expire() {
  while (!held_.empty() && held_.begin()->latest <= now_) {
    const Held due = *held_.begin();
    held_.erase(held_.begin());
    Job& job = jobs_.at(due.job);
    if (job.outcome) continue;
    job.stages[due.ref.stage].chunks[due.ref.chunk].latest.reset();
    recount(job, due.ref);
  }
}

/// The attempt has ended. Returns it if its result counts.
std::optional<Auditor::Attempt> Auditor::take_off(AttemptId id, bool free_slot) {
  const auto entry = attempts_.find(id);
  if (entry == attempts_.end()) {
    ++stale_;
    return std::nullopt;
  }
  const Attempt attempt = entry->second;
  attempts_.erase(entry);
  if (free_slot) {
    workers_.at(attempt.worker).attempts.erase(id);
    ++free_slots_;
  }
  if (attempt.alone) --alone_running_;
  Job& job = jobs_.at(attempt.job);
  job.attempts.erase(id);
  if (!attempt.cancelled) {
    --job.stages[attempt.ref.stage].running;
    return attempt;
  }
  ++stale_;
  return std::nullopt;
}

void Auditor::charge(const Attempt& attempt, FailureCause cause) {
  Job& job = jobs_.at(attempt.job);
  Stage& stage = job.stages[attempt.ref.stage];
  Chunk& chunk = stage.chunks[attempt.ref.chunk];
  chunk.running = false;
  ++chunk.failures;
  ++failures_[cause];
  const std::uint32_t charged = ++chunk.charges[cause];
  if (charged >= stage.spec.budgets.of(cause)) {
    const JobFailure failure{attempt.ref.stage, attempt.ref.chunk, chunk.failures, cause};
    expected_ends_[attempt.job] = {attempt.job, Outcome::failed, failure};
    return;
  }
  if (cause == FailureCause::killed && charged >= 2) {
    const Duration nominal = milliseconds(std::min(1000, 10 << std::min(charged - 2, 10U)));
    chunk.not_before = now_ + nominal / 2;
    chunk.latest = now_ + nominal;
    held_.insert({*chunk.latest, attempt.job, attempt.ref});
  }
  recount(job, attempt.ref);
}

bool Auditor::dependence_met(const Job& job, ChunkRef ref) const {
  switch (job.stages[ref.stage].spec.edge) {
    case Edge::none:
      return true;
    case Edge::each:
      return job.stages[ref.stage - 1].chunks[ref.chunk].committed;
    case Edge::barrier:
      return job.stages[ref.stage - 1].finished;
  }
  return false;
}

void Auditor::recount(Job& job, ChunkRef ref) {
  Chunk& chunk = job.stages[ref.stage].chunks[ref.chunk];
  Queue queue = Queue::none;
  if (!job.outcome && !chunk.committed && !chunk.running && !chunk.latest &&
      dependence_met(job, ref))
    queue = chunk.charges[FailureCause::crashed] >= 2 ? Queue::quarantined : Queue::startable;
  startable_ -= chunk.counted == Queue::startable ? 1 : 0;
  quarantined_ -= chunk.counted == Queue::quarantined ? 1 : 0;
  chunk.counted = queue;
  startable_ += queue == Queue::startable ? 1 : 0;
  quarantined_ += queue == Queue::quarantined ? 1 : 0;
}

void Auditor::recount_stage(Job& job, std::uint32_t stage) {
  for (std::uint32_t i = 0; i < job.stages[stage].chunks.size(); ++i) recount(job, {stage, i});
}

}  // namespace muster::simulation
