#include <utility>

#include <muster/base/assert.hpp>
#include <muster/scheduling/scheduler.hpp>

namespace muster::scheduling {

Scheduler::Scheduler(SchedulerOptions options) : policy_(options.back_off, options.seed) {}

void Scheduler::handle(TimePoint now, const Event& event, std::vector<Action>& actions) {
  std::visit([&](const auto& e) { on(now, e, actions); }, event);
  dispatch(actions);
}

void Scheduler::expire(TimePoint now, std::vector<Action>& actions) {
  while (!deadlines_.empty() && deadlines_.begin()->at <= now) {
    const QueuedChunk due = deadlines_.begin()->chunk;
    deadlines_.erase(deadlines_.begin());
    JobState& job = jobs_.at(due.job);
    job.failure(due.ref).deadline.reset();
    requeue(job, due.ref);
  }
  dispatch(actions);
}

std::optional<TimePoint> Scheduler::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->at;
}

const JobProgress* Scheduler::find_job(JobId job) const {
  const auto entry = jobs_.find(job);
  return entry == jobs_.end() ? nullptr : &entry->second.progress();
}

void Scheduler::on(TimePoint, const JobSubmitted& event, std::vector<Action>& actions) {
  std::optional<Rejection> rejection = validate(event.spec);
  if (jobs_.contains(event.job)) rejection = Rejection::duplicate_job;
  if (rejection) {
    actions.push_back(JobRejected{event.job, *rejection});
    return;
  }
  const std::uint64_t order = jobs_.size();
  JobState& job = jobs_.try_emplace(event.job, event.job, order, event.spec).first->second;
  job.open(actions);
  end_if_done(job, actions);
  update_ready(job);
}

void Scheduler::on(TimePoint, const WorkerJoined& event, std::vector<Action>&) {
  if (!workers_.join(event.worker, event.slots)) ++counters_.ignored_events;
}

/// All its attempts are taken off before the first is charged: a charge may end the job, and what
/// ran on this worker must not be cancelled there then.
void Scheduler::on(TimePoint now, const WorkerLost& event, std::vector<Action>& actions) {
  const std::optional<std::set<AttemptId>> lost = workers_.leave(event.worker);
  if (!lost) {
    ++counters_.ignored_events;
    return;
  }
  std::vector<Attempt> ended;
  ended.reserve(lost->size());
  for (const AttemptId id : *lost) ended.push_back(remove_attempt(attempts_.find(id)));
  for (const Attempt& attempt : ended) {
    if (!jobs_.at(attempt.job).ended()) charge(now, attempt, FailureCause::worker_lost, actions);
  }
}

void Scheduler::on(TimePoint, const AttemptSucceeded& event, std::vector<Action>& actions) {
  const std::optional<Attempt> attempt = take_result(event.attempt);
  if (!attempt) return;
  JobState& job = jobs_.at(attempt->job);
  job.finish(attempt->ref, event.attempt, actions);
  end_if_done(job, actions);
  update_ready(job);
}

void Scheduler::on(TimePoint now, const AttemptFailed& event, std::vector<Action>& actions) {
  const std::optional<Attempt> attempt = take_result(event.attempt);
  if (attempt) charge(now, *attempt, event.cause, actions);
}

void Scheduler::on(TimePoint, const JobCancelled& event, std::vector<Action>& actions) {
  const auto entry = jobs_.find(event.job);
  if (entry == jobs_.end() || entry->second.ended()) {
    ++counters_.ignored_events;
    return;
  }
  end_job(entry->second, {event.job, Outcome::cancelled}, actions);
}

/// Frees the attempt's slot. Returns the attempt if its result counts.
std::optional<Scheduler::Attempt> Scheduler::take_result(AttemptId id) {
  const auto entry = attempts_.find(id);
  if (entry == attempts_.end()) {
    ++counters_.stale_results;
    return std::nullopt;
  }
  const Attempt attempt = remove_attempt(entry);
  workers_.vacate(attempt.worker, id);
  if (!attempt.cancelled) return attempt;
  ++counters_.stale_results;
  return std::nullopt;
}

Scheduler::Attempt Scheduler::remove_attempt(AttemptMap::iterator entry) {
  MUSTER_ASSERT(entry != attempts_.end());
  const Attempt attempt = entry->second;
  if (!attempt.cancelled) jobs_.at(attempt.job).detach(entry->first);
  if (attempt.alone) alone_running_ = false;
  attempts_.erase(entry);
  return attempt;
}

void Scheduler::charge(TimePoint now, const Attempt& attempt, FailureCause cause,
                       std::vector<Action>& actions) {
  JobState& job = jobs_.at(attempt.job);
  const ChunkRef ref = attempt.ref;
  FailureRecord& record = job.failure(ref);
  record.last_worker = attempt.worker;
  const auto delay = policy_.charge(record, cause, job.budgets(ref.stage));
  if (!delay) {
    const JobFailure failure{ref.stage, ref.chunk, record.failures, cause};
    end_job(job, {job.id(), Outcome::failed, failure}, actions);
    return;
  }
  job.hold(ref, cause);
  if (*delay == Duration::zero()) {
    requeue(job, ref);
    return;
  }
  record.deadline = now + *delay;
  deadlines_.insert({*record.deadline, {job.order(), job.id(), ref}});
}

/// A held chunk may run again.
void Scheduler::requeue(JobState& job, ChunkRef ref) {
  if (is_quarantined(job.failure(ref))) {
    quarantine_.insert({job.order(), job.id(), ref});
  } else {
    job.release(ref);
    update_ready(job);
  }
}

void Scheduler::end_if_done(JobState& job, std::vector<Action>& actions) {
  if (job.all_done()) end_job(job, {job.id(), Outcome::succeeded}, actions);
}

void Scheduler::end_job(JobState& job, const JobFinished& finished, std::vector<Action>& actions) {
  for (const AttemptId id : job.attempts()) {
    Attempt& attempt = attempts_.at(id);
    attempt.cancelled = true;
    actions.push_back(CancelAttempt{id, attempt.worker});
  }
  for (const auto& [ref, record] : job.failures()) {
    const QueuedChunk chunk{job.order(), job.id(), ref};
    quarantine_.erase(chunk);
    if (record.deadline) deadlines_.erase({*record.deadline, chunk});
  }
  job.end(finished.outcome);
  update_ready(job);
  actions.push_back(finished);
}

void Scheduler::update_ready(const JobState& job) {
  if (job.first_ready()) {
    ready_jobs_.insert({job.order(), job.id()});
  } else {
    ready_jobs_.erase({job.order(), job.id()});
  }
}

std::optional<Scheduler::QueuedChunk> Scheduler::next_chunk() const {
  std::optional<QueuedChunk> next;
  if (!ready_jobs_.empty()) {
    const auto [order, job] = *ready_jobs_.begin();
    next = QueuedChunk{order, job, *jobs_.at(job).first_ready()};
  }
  const bool turn = !quarantine_.empty() && !alone_running_;
  if (turn && (!next || *quarantine_.begin() < *next)) next = *quarantine_.begin();
  return next;
}

void Scheduler::start(const QueuedChunk& next, std::vector<Action>& actions) {
  JobState& job = jobs_.at(next.job);
  const FailureRecord* record = job.find_failure(next.ref);
  const bool alone = record != nullptr && is_quarantined(*record);
  const auto avoid = record != nullptr ? std::optional(record->last_worker) : std::nullopt;
  const WorkerId worker = *workers_.pick(avoid);
  const AttemptId id{++counters_.attempts_started};

  if (alone) {
    MUSTER_ASSERT(!alone_running_);
    alone_running_ = true;
    quarantine_.erase(next);
  }
  job.start(next.ref, id);
  update_ready(job);
  workers_.occupy(worker, id);
  attempts_.emplace(id, Attempt{next.job, next.ref, worker, alone, false});
  actions.push_back(StartAttempt{id, next.job, next.ref.stage, next.ref.chunk, worker,
                                 record != nullptr ? record->failures + 1 : 1, alone});
}

void Scheduler::dispatch(std::vector<Action>& actions) {
  while (workers_.any_free()) {
    const std::optional<QueuedChunk> next = next_chunk();
    if (!next) return;
    start(*next, actions);
  }
}

}  // namespace muster::scheduling
