#include "auditor.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

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
  check_settled(event == nullptr, next_deadline);
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
  const std::uint64_t order = jobs_.size();  // nothing is ever taken out
  Job& job = jobs_[event.job];
  job.rank = event.rank;
  job.order = order;
  for (const StageSpec& spec : event.spec)
    job.stages.push_back(
        {spec, std::vector<Chunk>(spec.chunk_count), 0, 0, 0, 0, false, {}, 0, {}});
  for (const RestoredChunk& each : event.restored) restore(event.job, job, each);
  for (std::uint32_t i = 0; i < job.stages.size(); ++i) recount_stage(job, i);
  if (event.spec.empty()) expected_ends_[event.job] = {event.job, Outcome::succeeded, {}};
}

void Auditor::restore(JobId id, Job& job, const RestoredChunk& restored) {
  if (restored.stage >= job.stages.size() || job.is_stream()) return;
  Stage& stage = job.stages[restored.stage];
  if (restored.chunk >= stage.chunks.size() || stage.chunks[restored.chunk].committed) return;
  const auto worker = restored.worker ? workers_.find(*restored.worker) : workers_.end();
  if (restored.worker && worker == workers_.end()) return;
  const bool waits_for_one = stage.spec.edge == Edge::each;
  if (waits_for_one && !job.stages[restored.stage - 1].chunks[restored.chunk].committed) return;
  Chunk& chunk = stage.chunks[restored.chunk];
  chunk.committed = true;
  ++stage.committed;
  if (worker == workers_.end() || !stage.spec.keeps_output) return;
  chunk.kept_at = worker->first;
  kept_[worker->first].insert({id, {restored.stage, restored.chunk}});
  change(worker->second, [&] { ++worker->second.kept; });
}

void Auditor::on_event(const WorkerJoined& event) {
  const auto [worker, added] = workers_.try_emplace(
      event.worker,
      Worker{event.worker, event.slots, event.ahead, now_, false, false, {}, 0, {}, {}, 0});
  if (added) count(worker->second, 1);
}

void Auditor::on_event(const WorkerHeard& event) {
  const auto worker = workers_.find(event.worker);
  if (worker != workers_.end()) change(worker->second, [&] { worker->second.heard = now_; });
}

void Auditor::on_event(const WorkerDraining& event) {
  const auto worker = workers_.find(event.worker);
  if (worker != workers_.end()) change(worker->second, [&] { worker->second.draining = true; });
}

void Auditor::on_event(const WorkerPaused& event) {
  const auto worker = workers_.find(event.worker);
  if (worker != workers_.end()) change(worker->second, [&] { worker->second.paused = true; });
}

void Auditor::on_event(const WorkerResumed& event) {
  const auto worker = workers_.find(event.worker);
  if (worker != workers_.end()) change(worker->second, [&] { worker->second.paused = false; });
}

void Auditor::on_event(const WorkerLost& event) {
  if (workers_.contains(event.worker)) lose(event.worker);
}

void Auditor::count(const Worker& worker, int sign) {
  room_ += sign * static_cast<std::int64_t>(worker.room());
  free_slots_ += sign * static_cast<std::int64_t>(worker.free_slots());
  waiting_ += sign * static_cast<std::int64_t>(waiting_at(worker));
  if (worker.suspended_until && sign > 0) suspended_.insert({*worker.suspended_until, worker.id});
  if (worker.suspended_until && sign < 0) suspended_.erase({*worker.suspended_until, worker.id});
  unreleased_ += worker.draining && worker.attempts.empty() && worker.kept == 0 ? sign : 0;
  if (!lease_) return;
  const std::pair lease(worker.heard + *lease_, worker.id);
  if (sign > 0) {
    leases_.insert(lease);
  } else {
    leases_.erase(lease);
  }
}

void Auditor::remove(std::map<WorkerId, Worker>::iterator worker) {
  count(worker->second, -1);
  workers_.erase(worker);
}

/// It ran as many as it has slots, the oldest ones; the others had not begun.
void Auditor::lose(WorkerId id) {
  const Worker worker = workers_.at(id);
  remove(workers_.find(id));
  std::vector<Attempt> running;
  std::size_t position = 0;
  for (const AttemptId each : worker.attempts) {
    const bool ran = position++ < worker.slots;
    const auto attempt = take_off(each, false);
    if (!attempt) continue;
    if (ran) {
      running.push_back(*attempt);
    } else {
      recount(jobs_.at(attempt->job), attempt->ref);
      ++counts_.returned;
    }
  }
  for (const auto& [job, ref] : std::set(kept_[id])) lose_output(job, ref);
  for (const Attempt& attempt : running) {
    if (!expected_ends_.contains(attempt.job)) charge(attempt, FailureCause::worker_lost);
  }
}

void Auditor::on_event(const AttemptSucceeded& event) {
  const auto attempt = take_off(event.attempt, true);
  if (!attempt) return;
  expected_commit_ =
      ChunkFinished{attempt->job, attempt->ref.stage, attempt->ref.chunk, event.attempt};
  Stage& stage = jobs_.at(attempt->job).stages[attempt->ref.stage];
  stage.took += now_ - attempt->started;
  ++stage.successes;
  workers_.at(attempt->worker).bad_chunks = 0;
  committing_ = attempt->worker;
}

void Auditor::on_event(const AttemptFailed& event) {
  const auto attempt = take_off(event.attempt, true);
  if (!attempt) return;
  judge(*attempt, event.cause);
  charge(*attempt, event.cause);
}

void Auditor::on_event(const OutputLost& event) {
  const auto entry = jobs_.find(event.job);
  if (entry == jobs_.end() || event.stage >= entry->second.stages.size()) return;
  if (event.chunk >= entry->second.stages[event.stage].chunks.size()) return;
  if (!entry->second.outcome) lose_output(event.job, {event.stage, event.chunk});
}

void Auditor::lose_output(JobId id, ChunkRef ref) {
  Job& job = jobs_.at(id);
  const auto at = std::exchange(job.stages[ref.stage].chunks[ref.chunk].kept_at, std::nullopt);
  if (!at) return;
  kept_[*at].erase({id, ref});
  const auto worker = workers_.find(*at);
  if (worker != workers_.end()) change(worker->second, [&] { --worker->second.kept; });
  job.stages[ref.stage].lost.insert(ref.chunk);
  with_losses_.insert(id);
}

void Auditor::on_event(const AttemptReturned& event) {
  const auto attempt = take_off(event.attempt, true);
  if (!attempt) return;
  recount(jobs_.at(attempt->job), attempt->ref);
  ++counts_.returned;
}

void Auditor::on_event(const AttemptStarted& event) {
  const auto entry = attempts_.find(event.attempt);
  if (entry == attempts_.end() || !entry->second.recalled) return;
  Attempt& attempt = entry->second;
  change(workers_.at(attempt.worker), [&] {
    attempt.recalled = false;
    attempt.kept = true;
  });
  --recalls_out_;
  ++counts_.kept;
}

void Auditor::on_event(const JobCancelled& event) {
  const auto entry = jobs_.find(event.job);
  if (entry != jobs_.end() && !entry->second.outcome)
    expected_ends_[event.job] = {event.job, Outcome::cancelled, {}};
}

/// Null if it is no stream, or not open any more.
Auditor::Job* Auditor::open_stream(JobId id) {
  const auto entry = jobs_.find(id);
  if (entry == jobs_.end() || entry->second.outcome || !entry->second.is_stream()) return nullptr;
  return &entry->second;
}

void Auditor::on_event(const ChunksAdded& event) {
  Job* const job = open_stream(event.job);
  if (job == nullptr || job->sealed) return;
  Stage& stage = job->stages.front();
  if (event.count > chunks_max - stage.chunks.size()) return;
  stage.spec.chunk_count += event.count;
  stage.chunks.resize(stage.spec.chunk_count);
  recount_stage(*job, 0);
  stream_counts_.added += event.count;
}

void Auditor::on_event(const StreamSealed& event) {
  Job* const job = open_stream(event.job);
  if (job == nullptr) return;
  job->sealed = true;
  moved_streams_.insert(event.job);
}

void Auditor::on_event(const ChunkCancelled& event) {
  Job* const job = open_stream(event.job);
  if (job == nullptr || event.chunk >= job->stages.front().chunks.size()) return;
  const Chunk& chunk = job->stages.front().chunks[event.chunk];
  if (chunk.committed || chunk.over) return;
  end_chunk(event.job, *job, event.chunk);
  ++job->stages.front().cancelled;
  ++stream_counts_.cancelled;
}

void Auditor::on_event(const JobForgotten& event) {
  const auto entry = jobs_.find(event.job);
  if (entry == jobs_.end() || !entry->second.outcome || entry->second.forgotten) return;
  entry->second.forgotten = true;
  ++stream_counts_.forgotten;
}

/// What ran of it must be cancelled in this step.
void Auditor::end_chunk(JobId id, Job& job, std::uint32_t index) {
  Chunk& chunk = job.stages.front().chunks[index];
  chunk.over = true;
  const auto latest = std::exchange(chunk.latest, std::nullopt);
  if (latest) held_.erase({*latest, id, {0, index}});
  over_.insert({id, index});
  moved_streams_.insert(id);
  recount(job, {0, index});
}

void Auditor::judge(const Attempt& attempt, FailureCause cause) {
  if (!suspension_ || !may_be_the_workers(cause)) return;
  Worker& worker = workers_.at(attempt.worker);
  const std::pair chunk(attempt.job, attempt.ref);
  if (worker.bad_chunks != 0 && worker.last_bad == chunk) return;
  worker.last_bad = chunk;
  if (++worker.bad_chunks < suspension_->after) return;
  --worker.bad_chunks;
  expected_suspension_ = attempt.worker;
}

void Auditor::on_expire() {
  while (!suspended_.empty() && suspended_.begin()->first <= now_) {
    Worker& worker = workers_.at(suspended_.begin()->second);
    change(worker, [&] { worker.suspended_until.reset(); });
  }
  while (!held_.empty() && held_.begin()->latest <= now_) end_first_back_off();
}

void Auditor::end_first_back_off() {
  const Held due = *held_.begin();
  held_.erase(held_.begin());
  Job& job = jobs_.at(due.job);
  if (job.outcome) return;
  job.stages[due.ref.stage].chunks[due.ref.chunk].latest.reset();
  recount(job, due.ref);
}

/// The attempt has ended. Returns it if its result counts.
std::optional<Auditor::Attempt> Auditor::take_off(AttemptId id, bool free_slot) {
  const auto entry = attempts_.find(id);
  if (entry == attempts_.end()) {
    ++stale_;
    return std::nullopt;
  }
  const Attempt attempt = entry->second;
  if (free_slot) {
    Worker& worker = workers_.at(attempt.worker);
    change(worker, [&] { worker.attempts.erase(id); });
  }
  attempts_.erase(entry);
  if (attempt.alone) --alone_running_;
  if (attempt.recalled) --recalls_out_;
  Job& job = jobs_.at(attempt.job);
  job.attempts.erase(id);
  if (!attempt.cancelled) {
    stop_running(attempt);
    return attempt;
  }
  ++stale_;
  return std::nullopt;
}

void Auditor::stop_running(const Attempt& attempt) {
  Stage& stage = jobs_.at(attempt.job).stages[attempt.ref.stage];
  if (--stage.chunks[attempt.ref.chunk].running == 0) --stage.running;
}

void Auditor::charge(const Attempt& attempt, FailureCause cause) {
  Job& job = jobs_.at(attempt.job);
  Stage& stage = job.stages[attempt.ref.stage];
  Chunk& chunk = stage.chunks[attempt.ref.chunk];
  ++chunk.failures;
  ++failures_[cause];
  const std::uint32_t charged = ++chunk.charges[cause];
  if (charged >= stage.spec.budgets.of(cause) && job.is_stream()) {
    const std::uint32_t index = attempt.ref.chunk;
    expected_failures_[{attempt.job, index}] = {attempt.job, index, chunk.failures, cause};
    end_chunk(attempt.job, job, index);
    ++stage.failed;
    return;
  }
  if (charged >= stage.spec.budgets.of(cause)) {
    const JobFailure failure{attempt.ref.stage, attempt.ref.chunk, chunk.failures, cause};
    expected_ends_[attempt.job] = {attempt.job, Outcome::failed, failure};
    return;
  }
  const bool may_pass = cause == FailureCause::killed || cause == FailureCause::input_lost;
  if (may_pass && charged >= 2 && chunk.running == 0) {
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
  if (!job.outcome && !chunk.committed && !chunk.over && chunk.running == 0 && !chunk.latest &&
      dependence_met(job, ref))
    queue = chunk.charges[FailureCause::crashed] >= 2 ? Queue::quarantined : Queue::startable;
  if (chunk.counted == Queue::startable) {
    --startable_;
    --job.startable;
  }
  quarantined_ -= chunk.counted == Queue::quarantined ? 1 : 0;
  chunk.counted = queue;
  if (queue == Queue::startable) {
    ++startable_;
    ++job.startable;
  }
  quarantined_ += queue == Queue::quarantined ? 1 : 0;
}

void Auditor::recount_stage(Job& job, std::uint32_t stage) {
  for (std::uint32_t i = 0; i < job.stages[stage].chunks.size(); ++i) recount(job, {stage, i});
}

}  // namespace muster::simulation
