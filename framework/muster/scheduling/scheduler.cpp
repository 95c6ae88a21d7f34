#include <algorithm>
#include <utility>

#include <muster/base/assert.hpp>
#include <muster/scheduling/scheduler.hpp>

namespace muster::scheduling {

Scheduler::Scheduler(SchedulerOptions options)
    : speculation_(options.speculation),
      suspension_(options.suspension),
      policy_(options.back_off, options.seed),
      workers_(options.lease) {}

void Scheduler::handle(TimePoint now, const Event& event, std::vector<Action>& actions) {
  std::visit([&](const auto& e) { on(now, e, actions); }, event);
  settle(now, actions);
}

void Scheduler::expire(TimePoint now, std::vector<Action>& actions) {
  for (const WorkerId worker : workers_.expired(now)) {
    actions.push_back(WorkerExpired{worker});
    lose(now, worker, *workers_.leave(worker), actions);
  }
  workers_.end_suspensions(now);
  while (!deadlines_.empty() && deadlines_.begin()->at <= now) {
    const QueuedChunk due = deadlines_.begin()->chunk;
    deadlines_.erase(deadlines_.begin());
    Job& job = jobs_.at(due.job);
    job.state.failure(due.ref).deadline.reset();
    requeue(job, due.ref);
  }
  settle(now, actions);
}

std::optional<TimePoint> Scheduler::next_deadline() const {
  std::optional<TimePoint> next = workers_.next_expiry();
  const auto consider = [&next](std::optional<TimePoint> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  consider(workers_.next_suspension_end());
  if (!deadlines_.empty()) consider(deadlines_.begin()->at);
  consider(next_late_);
  return next;
}

const JobProgress* Scheduler::find_job(JobId job) const {
  const auto entry = jobs_.find(job);
  return entry == jobs_.end() ? nullptr : &entry->second.state.progress();
}

void Scheduler::on(TimePoint now, const WorkerJoined& event, std::vector<Action>&) {
  if (!workers_.join(event.worker, event.slots, event.ahead, now)) ++counters_.ignored_events;
}

void Scheduler::on(TimePoint now, const WorkerHeard& event, std::vector<Action>&) {
  if (!workers_.hear(event.worker, now)) ++counters_.ignored_events;
}

void Scheduler::on(TimePoint, const WorkerDraining& event, std::vector<Action>&) {
  if (!workers_.drain(event.worker)) ++counters_.ignored_events;
}

void Scheduler::on(TimePoint, const WorkerPaused& event, std::vector<Action>&) {
  if (!workers_.pause(event.worker, true)) ++counters_.ignored_events;
}

void Scheduler::on(TimePoint, const WorkerResumed& event, std::vector<Action>&) {
  if (!workers_.pause(event.worker, false)) ++counters_.ignored_events;
}

void Scheduler::on(TimePoint now, const WorkerLost& event, std::vector<Action>& actions) {
  if (const auto left = workers_.leave(event.worker)) {
    lose(now, event.worker, *left, actions);
  } else {
    ++counters_.ignored_events;
  }
}

/// All its attempts are taken off before the first is charged: a charge may end the job, and what
/// ran on this worker must not be cancelled there then.
void Scheduler::lose(TimePoint now, WorkerId worker, const WorkerTable::Left& left,
                     std::vector<Action>& actions) {
  std::vector<Attempt> running;
  std::vector<Attempt> waiting;
  for (const AttemptId id : left.running) running.push_back(remove_attempt(attempts_.find(id)));
  for (const AttemptId id : left.waiting) waiting.push_back(remove_attempt(attempts_.find(id)));
  for (const Attempt& attempt : waiting) give_back(attempt);
  lose_outputs(worker, actions);
  for (const Attempt& attempt : running) {
    if (!attempt.cancelled && !jobs_.at(attempt.job).state.ended())
      charge(now, attempt, FailureCause::worker_lost, actions);
  }
}

void Scheduler::on(TimePoint now, const AttemptSucceeded& event, std::vector<Action>& actions) {
  const std::optional<Attempt> attempt = take_result(event.attempt);
  if (!attempt) return;
  if (suspension_) workers_.conduct(attempt->worker).succeeded();
  Job& job = jobs_.at(attempt->job);
  if (job.state.speculates(attempt->ref.stage)) {
    job.times[attempt->ref.stage].stragglers.succeeded(now - attempt->started);
    update_late(job, attempt->ref.stage);
  }
  if (attempt->twin) {
    job.state.detach(attempt->ref, *attempt->twin, std::nullopt);
    cancel(*attempt->twin, actions);
  }
  if (job.state.keeps_output(attempt->ref.stage)) {
    holders_[attempt->worker].insert(attempt->job);
  }
  const std::size_t said = actions.size();
  job.state.finish(attempt->ref, event.attempt, attempt->worker, actions);
  const bool stage_finished = actions.size() > said + 1;  // more than the commit
  if (stage_finished && job.state.has_reopened()) update_blocked(job);
  end_if_done(job, actions);
  update_ready(job);
}

void Scheduler::on(TimePoint now, const AttemptFailed& event, std::vector<Action>& actions) {
  const std::optional<Attempt> attempt = take_result(event.attempt);
  if (!attempt) return;
  judge(now, *attempt, event.cause, actions);
  charge(now, *attempt, event.cause, actions);
}

/// Is the worker to blame?
void Scheduler::judge(TimePoint now, const Attempt& attempt, FailureCause cause,
                      std::vector<Action>& actions) {
  if (!suspension_ || !may_be_the_workers(cause)) return;
  const auto time = workers_.conduct(attempt.worker).failed(attempt.job, attempt.ref, *suspension_);
  if (!time) return;
  workers_.suspend(attempt.worker, now + *time);
  actions.push_back(WorkerSuspended{attempt.worker, *time});
}

void Scheduler::on(TimePoint, const AttemptReturned& event, std::vector<Action>&) {
  const std::optional<Attempt> attempt = take_result(event.attempt);
  if (attempt) give_back(*attempt);
}

void Scheduler::on(TimePoint, const AttemptStarted& event, std::vector<Action>&) {
  const auto entry = attempts_.find(event.attempt);
  if (entry == attempts_.end() || !std::exchange(entry->second.recalled, false)) return;
  --recalls_;
  if (!entry->second.cancelled) workers_.keep(entry->second.worker, event.attempt);
}

void Scheduler::on(TimePoint, const OutputLost& event, std::vector<Action>& actions) {
  Job* const lost_for = running_job(event.job);
  if (lost_for == nullptr) return;
  Job& job = *lost_for;
  const JobState::Loss loss = job.state.lose_output({event.stage, event.chunk}, actions);
  counters_.reopened += loss.reopened;
  if (loss.has_nothing) forget_holder(*loss.has_nothing, event.job);
  update_blocked(job);
  update_ready(job);
}

void Scheduler::forget_holder(WorkerId worker, JobId job) {
  const auto held = holders_.find(worker);
  held->second.erase(job);
  if (held->second.empty()) holders_.erase(held);
}

void Scheduler::lose_outputs(WorkerId worker, std::vector<Action>& actions) {
  const auto held = holders_.find(worker);
  if (held == holders_.end()) return;
  for (const JobId id : held->second) {
    Job& job = jobs_.at(id);
    counters_.reopened += job.state.lose_outputs(worker, actions);
    update_blocked(job);
    update_ready(job);
  }
  holders_.erase(held);
}

/// To be called when a stage is, or is no longer, blocked. Chunks in quarantine and stragglers take
/// their turn among those of all jobs, but for those that may not start.
void Scheduler::update_blocked(Job& job) {
  for (std::uint32_t stage = 0; stage < job.times.size(); ++stage) update_late(job, stage);
  const auto first = quarantine_.lower_bound({job.state.order(), job.state.id(), {}});
  for (auto at = first; at != quarantine_.end() && at->job == job.state.id();) {
    const bool blocked = job.state.is_blocked(at->ref.stage);
    if (blocked) job.parked.insert(at->ref);
    at = blocked ? quarantine_.erase(at) : std::next(at);
  }
  for (const ChunkRef ref : std::exchange(job.parked, {})) {
    if (job.state.is_blocked(ref.stage)) {
      job.parked.insert(ref);
    } else {
      quarantine_.insert({job.state.order(), job.state.id(), ref});
    }
  }
}

void Scheduler::on(TimePoint, const JobCancelled& event, std::vector<Action>& actions) {
  if (Job* const job = running_job(event.job))
    end_job(*job, {event.job, Outcome::cancelled}, actions);
}

void Scheduler::on(TimePoint, const JobForgotten& event, std::vector<Action>&) {
  const auto entry = jobs_.find(event.job);
  if (entry == jobs_.end() || !entry->second.state.ended()) {
    ++counters_.ignored_events;
    return;
  }
  jobs_.erase(entry);
}

/// Null, and counted, if it is unknown or has ended.
Scheduler::Job* Scheduler::running_job(JobId id) {
  const auto entry = jobs_.find(id);
  if (entry != jobs_.end() && !entry->second.state.ended()) return &entry->second;
  ++counters_.ignored_events;
  return nullptr;
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
  if (!attempt.cancelled) {
    jobs_.at(attempt.job).state.detach(attempt.ref, entry->first, attempt.twin);
    watch(entry->first, attempt, false);
  }
  if (attempt.twin) {
    Attempt& twin = attempts_.at(*attempt.twin);
    twin.twin.reset();
    watch(*attempt.twin, twin, true);
  }
  if (attempt.alone) alone_running_ = false;
  if (attempt.recalled) --recalls_;
  attempts_.erase(entry);
  return attempt;
}

void Scheduler::charge(TimePoint now, const Attempt& attempt, FailureCause cause,
                       std::vector<Action>& actions) {
  Job& job = jobs_.at(attempt.job);
  const ChunkRef ref = attempt.ref;
  FailureRecord& record = job.state.failure(ref);
  record.last_worker = attempt.worker;
  const auto delay = policy_.charge(record, cause, job.state.budgets(ref.stage));
  if (!delay && job.state.is_stream()) {
    end_chunk(job, ref, cause, actions);
    return;
  }
  if (!delay) {
    const JobFailure failure{ref.stage, ref.chunk, record.failures, cause};
    end_job(job, {attempt.job, Outcome::failed, failure}, actions);
    return;
  }
  if (attempt.twin) {
    update_ready(job);  // the chunk still runs
    return;
  }
  job.state.hold(ref, cause);
  if (*delay == Duration::zero()) {
    requeue(job, ref);
    return;
  }
  record.deadline = now + *delay;
  deadlines_.insert({*record.deadline, {job.state.order(), attempt.job, ref}});
  update_ready(job);
}

/// It never ran, so nothing is held against its chunk.
void Scheduler::give_back(const Attempt& attempt) {
  if (attempt.cancelled) return;
  Job& job = jobs_.at(attempt.job);
  if (attempt.twin) {
    update_ready(job);
    return;
  }
  job.state.give_back(attempt.ref);
  requeue(job, attempt.ref);
}

/// A held chunk may run again.
void Scheduler::requeue(Job& job, ChunkRef ref) {
  const FailureRecord* const record = job.state.find_failure(ref);
  if (record != nullptr && is_quarantined(*record)) {
    quarantine_.insert({job.state.order(), job.state.id(), ref});
    if (job.state.is_blocked(ref.stage)) update_blocked(job);
  } else {
    job.state.release(ref);
  }
  update_ready(job);
}

void Scheduler::end_if_done(Job& job, std::vector<Action>& actions) {
  if (job.state.all_done()) end_job(job, {job.state.id(), Outcome::succeeded}, actions);
}

void Scheduler::end_job(Job& job, const JobFinished& finished, std::vector<Action>& actions) {
  JobState& state = job.state;
  for (const AttemptId id : state.attempts()) cancel(id, actions);
  for (const auto& [ref, record] : state.failures()) {
    const QueuedChunk chunk{state.order(), state.id(), ref};
    quarantine_.erase(chunk);
    if (record.deadline) deadlines_.erase({*record.deadline, chunk});
  }
  for (const WorkerId worker : state.holders()) forget_holder(worker, state.id());
  job.parked = {};
  state.end(finished.outcome);
  update_ready(job);
  actions.push_back(finished);
}

/// The attempt's end is awaited, its result is not. The job's own account of it is the caller's.
void Scheduler::cancel(AttemptId id, std::vector<Action>& actions) {
  Attempt& attempt = attempts_.at(id);
  watch(id, attempt, false);
  attempt.cancelled = true;
  attempt.twin.reset();
  workers_.mark(attempt.worker, id);
  actions.push_back(CancelAttempt{id, attempt.worker});
}

/// Whether the attempt may become a straggler that is helped: the only one of its chunk.
void Scheduler::watch(AttemptId id, const Attempt& attempt, bool watched) {
  Job& job = jobs_.at(attempt.job);
  if (!speculation_ || job.state.ended() || !job.state.speculates(attempt.ref.stage)) return;
  if (attempt.alone || attempt.cancelled) return;
  Stragglers& stragglers = job.times[attempt.ref.stage].stragglers;
  if (watched) {
    stragglers.add({attempt.started, id});
  } else {
    stragglers.remove({attempt.started, id});
  }
  update_late(job, attempt.ref.stage);
}

void Scheduler::update_late(Job& job, std::uint32_t stage) {
  StageTimes& times = job.times[stage];
  if (times.late) late_.erase(*std::exchange(times.late, std::nullopt));
  if (!speculation_ || job.state.ended() || job.state.is_blocked(stage)) return;
  const StageProgress& now = job.state.progress().stages[stage];
  const std::uint64_t chunks = std::uint64_t{now.pending} + now.running + now.done;
  const std::uint64_t samples =
      job.state.is_stream() ? speculation_->samples : speculation_->samples_of(chunks);
  if (const auto oldest = times.stragglers.oldest(*speculation_, samples)) {
    times.late = Late{oldest->late_from, job.state.order(), stage, oldest->attempt};
    late_.insert(*times.late);
  }
}

Scheduler::Turn Scheduler::turn_of(const Job& job) {
  constexpr std::uint64_t scale = std::uint64_t{1} << 32U;  // above every weight
  const std::uint64_t share =
      job.state.attempts().size() * scale / std::max<std::uint64_t>(1, job.rank.weight);
  return {-std::int64_t{job.rank.priority}, share, job.state.order(), job.state.id()};
}

/// To be called whenever a job has more or fewer ready chunks, or attempts.
void Scheduler::update_ready(Job& job) {
  if (job.turn) ready_jobs_.erase(*std::exchange(job.turn, std::nullopt));
  if (job.state.first_ready()) ready_jobs_.insert(*(job.turn = turn_of(job)));
}

std::optional<Scheduler::QueuedChunk> Scheduler::next_chunk() const {
  std::optional<Choice> next;
  if (!ready_jobs_.empty()) {
    const Turn& turn = *ready_jobs_.begin();
    next = Choice{turn, {turn.order, turn.job, *jobs_.at(turn.job).state.first_ready()}};
  }
  if (!quarantine_.empty() && !alone_running_) {
    const QueuedChunk& first = *quarantine_.begin();
    const Turn turn = turn_of(jobs_.at(first.job));
    const bool is_next =
        !next || turn < next->turn || (turn == next->turn && first.ref < next->chunk.ref);
    if (is_next) return first;
  }
  if (!next) return std::nullopt;
  return next->chunk;
}

void Scheduler::start(TimePoint now, const QueuedChunk& next, std::vector<Action>& actions) {
  Job& job = jobs_.at(next.job);
  const FailureRecord* record = job.state.find_failure(next.ref);
  const bool alone = record != nullptr && is_quarantined(*record);
  const auto avoid = record != nullptr ? std::optional(record->last_worker) : std::nullopt;
  const WorkerId worker = *workers_.pick(avoid);
  const AttemptId id{++counters_.attempts_started};

  if (alone) {
    MUSTER_ASSERT(!alone_running_);
    alone_running_ = true;
    quarantine_.erase(next);
  }
  job.state.start(next.ref, id);
  update_ready(job);
  workers_.occupy(worker, id);
  if (alone) workers_.mark(worker, id);  // its turn has come: it does not give that back
  const Attempt& attempt = attempts_
                               .emplace(id, Attempt{.job = next.job,
                                                    .ref = next.ref,
                                                    .worker = worker,
                                                    .alone = alone,
                                                    .started = now})
                               .first->second;
  watch(id, attempt, true);
  actions.push_back(StartAttempt{id, next.job, next.ref.stage, next.ref.chunk, worker,
                                 record != nullptr ? record->failures + 1 : 1, alone});
}

/// What follows from every event: who has left, who gets what.
void Scheduler::settle(TimePoint now, std::vector<Action>& actions) {
  release_drained(actions);
  dispatch(now, actions);
}

void Scheduler::release_drained(std::vector<Action>& actions) {
  for (auto at = workers_.drained().begin(); at != workers_.drained().end();) {
    const WorkerId worker = *at++;  // leaving takes it out of the set
    if (holders_.contains(worker)) continue;
    workers_.leave(worker);
    actions.push_back(WorkerReleased{worker});
  }
}

void Scheduler::dispatch(TimePoint now, std::vector<Action>& actions) {
  next_late_.reset();
  while (workers_.any_room()) {
    const std::optional<QueuedChunk> next = next_chunk();
    if (!next) {
      recall(actions);
      speculate(now, actions);
      return;
    }
    start(now, *next, actions);
  }
}

void Scheduler::recall(std::vector<Action>& actions) {
  while (has_slots_to_spare()) {
    const auto found = workers_.recallable();
    if (!found) return;
    const auto [worker, id] = *found;
    workers_.mark(worker, id);
    attempts_.at(id).recalled = true;
    ++recalls_;
    actions.push_back(RecallAttempt{id, worker});
  }
}

void Scheduler::speculate(TimePoint now, std::vector<Action>& actions) {
  while (has_slots_to_spare() && !late_.empty()) {
    const Late first = *late_.begin();
    Attempt& straggler = attempts_.at(first.attempt);
    const auto worker = workers_.pick_idle(straggler.worker);
    if (!worker) return;  // some event will change that
    if (first.from > now) {
      next_late_ = first.from;
      return;
    }
    Job& job = jobs_.at(straggler.job);
    const ChunkRef ref = straggler.ref;
    const FailureRecord* const record = job.state.find_failure(ref);
    const AttemptId id{++counters_.attempts_started};
    ++counters_.speculative;
    watch(first.attempt, straggler, false);
    straggler.twin = id;
    job.state.start_second(ref, id);
    workers_.occupy(*worker, id);
    attempts_.emplace(id, Attempt{.job = straggler.job,
                                  .ref = ref,
                                  .worker = *worker,
                                  .started = now,
                                  .twin = first.attempt});
    actions.push_back(StartAttempt{id, straggler.job, ref.stage, ref.chunk, *worker,
                                   record != nullptr ? record->failures + 1 : 1, false, true});
    update_ready(job);
  }
}

}  // namespace muster::scheduling
