#include "reference_scheduler.hpp"

#include <algorithm>
#include <numeric>

namespace muster::simulation {

void ReferenceScheduler::handle(TimePoint now, const Event& event, std::vector<Action>& actions) {
  std::visit([&](const auto& e) { on(now, e, actions); }, event);
  settle(now, actions);
}

void ReferenceScheduler::expire(TimePoint now, std::vector<Action>& actions) {
  std::vector<WorkerId> expired;
  for (const auto& [id, worker] : workers_)
    if (lease_ && worker.heard + *lease_ <= now) expired.push_back(id);
  for (const WorkerId worker : expired) {
    actions.push_back(WorkerExpired{worker});
    on(now, WorkerLost{worker}, actions);
  }
  for (auto& [id, worker] : workers_)
    if (worker.suspended_until <= now) worker.suspended_until.reset();
  for (Job& job : jobs_)
    for (auto& stage : job.chunks)
      for (Chunk& chunk : stage)
        if (chunk.failure.deadline <= now) chunk.failure.deadline.reset();
  settle(now, actions);
}

std::optional<TimePoint> ReferenceScheduler::next_deadline() const {
  std::optional<TimePoint> next;
  for (const Job& job : jobs_)
    for (const auto& stage : job.chunks)
      for (const Chunk& chunk : stage) {
        const auto& deadline = chunk.failure.deadline;
        if (!job.ended && deadline && (!next || deadline < next)) next = deadline;
      }
  if (next_late_ && (!next || *next_late_ < *next)) next = next_late_;
  for (const auto& [id, worker] : workers_) {
    const auto& until = worker.suspended_until;
    if (until && (!next || *until < *next)) next = until;
    if (lease_ && (!next || worker.heard + *lease_ < *next)) next = worker.heard + *lease_;
  }
  return next;
}

void ReferenceScheduler::on(TimePoint, const JobSubmitted& event, std::vector<Action>& actions) {
  std::optional<Rejection> rejection = validate(event.spec);
  for (const Job& job : jobs_)
    if (job.id == event.job && !job.forgotten) rejection = Rejection::duplicate_job;
  if (rejection) {
    actions.push_back(JobRejected{event.job, *rejection});
    return;
  }
  Job job{event.job, event.spec, event.rank, {}, {}, std::vector<bool>(event.spec.size())};
  for (const StageSpec& stage : event.spec) job.chunks.emplace_back(stage.chunk_count);
  job.took.resize(event.spec.size());
  for (const RestoredChunk& each : event.restored) {
    if (each.stage >= job.spec.size() || job.spec[each.stage].stream) continue;
    if (each.chunk >= job.chunks[each.stage].size()) continue;
    if (each.worker && !workers_.contains(*each.worker)) continue;
    if (job.spec[each.stage].edge == Edge::each && !job.chunks[each.stage - 1][each.chunk].done)
      continue;
    Chunk& restored = job.chunks[each.stage][each.chunk];
    if (std::exchange(restored.done, true)) continue;
    if (job.spec[each.stage].keeps_output) restored.kept_at = each.worker;
  }
  jobs_.push_back(std::move(job));
  finish_stages(jobs_.back(), actions);
}

void ReferenceScheduler::on(TimePoint now, const WorkerJoined& event, std::vector<Action>&) {
  workers_.try_emplace(event.worker,
                       Worker{event.slots, event.ahead, false, false, now, 0, 0, {}, {}});
}

void ReferenceScheduler::on(TimePoint now, const WorkerHeard& event, std::vector<Action>&) {
  if (workers_.contains(event.worker)) workers_[event.worker].heard = now;
}

void ReferenceScheduler::on(TimePoint, const WorkerDraining& event, std::vector<Action>&) {
  if (workers_.contains(event.worker)) workers_[event.worker].draining = true;
}

void ReferenceScheduler::on(TimePoint, const WorkerPaused& event, std::vector<Action>&) {
  if (workers_.contains(event.worker)) workers_[event.worker].paused = true;
}

void ReferenceScheduler::on(TimePoint, const WorkerResumed& event, std::vector<Action>&) {
  if (workers_.contains(event.worker)) workers_[event.worker].paused = false;
}

void ReferenceScheduler::on(TimePoint now, const WorkerLost& event, std::vector<Action>& actions) {
  if (!workers_.contains(event.worker)) return;
  const std::uint32_t slots = workers_[event.worker].slots;
  workers_.erase(event.worker);
  std::vector<Attempt> lost;
  for (const auto& [id, attempt] : attempts_)
    if (attempt.worker == event.worker) lost.push_back(attempt);
  std::erase_if(attempts_, [&](const auto& entry) { return entry.second.worker == event.worker; });
  for (std::size_t i = 0; i < lost.size(); ++i)
    if (!lost[i].cancelled) --chunk(lost[i]).running;
  std::map<JobId, Job*> by_id;
  for (Job& job : jobs_) by_id[job.id] = &job;
  for (auto& [id, job] : by_id) {
    for (auto& stage : job->chunks)
      for (Chunk& each : stage)
        if (each.kept_at == event.worker) {
          each.kept_at.reset();
          each.lost = true;
        }
    reopen(*job, actions);
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(slots, lost.size()); ++i)
    if (!lost[i].cancelled && !jobs_[lost[i].job].ended)
      charge(now, lost[i], FailureCause::worker_lost, actions);
}

void ReferenceScheduler::on(TimePoint now, const AttemptSucceeded& event,
                            std::vector<Action>& actions) {
  const auto attempt = take_result(event.attempt);
  if (!attempt) return;
  workers_[attempt->worker].bad_chunks = 0;
  workers_[attempt->worker].suspensions = 0;
  Job& job = jobs_[attempt->job];
  job.took[attempt->ref.stage].push_back(now - attempt->started);
  cancel_attempts(attempt->job, attempt->ref, actions);
  chunk(*attempt) = Chunk{.done = true, .failure = {}};
  if (job.spec[attempt->ref.stage].keeps_output) chunk(*attempt).kept_at = attempt->worker;
  actions.push_back(ChunkFinished{job.id, attempt->ref.stage, attempt->ref.chunk, event.attempt});
  finish_stages(job, actions);
}

void ReferenceScheduler::on(TimePoint now, const AttemptFailed& event,
                            std::vector<Action>& actions) {
  const auto attempt = take_result(event.attempt);
  if (!attempt) return;
  Worker& worker = workers_[attempt->worker];
  const bool is_bad = event.cause == FailureCause::crashed || event.cause == FailureCause::killed ||
                      event.cause == FailureCause::out_of_memory ||
                      event.cause == FailureCause::no_space;
  const bool same = worker.bad_chunks > 0 && worker.last_bad->job == attempt->job &&
                    worker.last_bad->ref == attempt->ref;
  if (suspension_ && is_bad && !same) {
    worker.last_bad = attempt;
    if (++worker.bad_chunks >= suspension_->after) {
      --worker.bad_chunks;
      Duration time = suspension_->first;
      for (std::uint32_t i = 0; i < worker.suspensions && time < suspension_->longest; ++i)
        time *= 2;
      ++worker.suspensions;
      time = std::min(time, suspension_->longest);
      worker.suspended_until = now + time;
      actions.push_back(WorkerSuspended{attempt->worker, time});
    }
  }
  charge(now, *attempt, event.cause, actions);
}

void ReferenceScheduler::on(TimePoint, const AttemptReturned& event, std::vector<Action>&) {
  take_result(event.attempt);
}

void ReferenceScheduler::on(TimePoint, const AttemptStarted& event, std::vector<Action>&) {
  const auto entry = attempts_.find(event.attempt);
  if (entry == attempts_.end() || !entry->second.recalled) return;
  entry->second.recalled = false;
  entry->second.kept = true;
}

void ReferenceScheduler::on(TimePoint, const OutputLost& event, std::vector<Action>& actions) {
  for (Job& job : jobs_) {
    if (job.id != event.job || job.ended || event.stage >= job.chunks.size()) continue;
    if (event.chunk >= job.chunks[event.stage].size()) continue;
    Chunk& lost = job.chunks[event.stage][event.chunk];
    if (lost.kept_at) lost.lost = true;
    lost.kept_at.reset();
    reopen(job, actions);
  }
}

void ReferenceScheduler::cancel_attempts(std::size_t job, ChunkRef ref,
                                         std::vector<Action>& actions) {
  for (auto& [id, attempt] : attempts_) {
    if (attempt.job != job || attempt.ref != ref || attempt.cancelled) continue;
    attempt.cancelled = true;
    actions.push_back(CancelAttempt{id, attempt.worker});
  }
}

void ReferenceScheduler::on(TimePoint, const ChunksAdded& event, std::vector<Action>&) {
  for (Job& job : jobs_) {
    if (job.id != event.job || !job.is_open_stream() || job.sealed) continue;
    const std::size_t size = job.chunks.front().size() + event.count;
    if (size <= chunks_max) job.chunks.front().resize(size);
  }
}

void ReferenceScheduler::on(TimePoint, const StreamSealed& event, std::vector<Action>& actions) {
  for (Job& job : jobs_) {
    if (job.id != event.job || !job.is_open_stream() || job.sealed) continue;
    job.sealed = true;
    finish_stages(job, actions);
  }
}

void ReferenceScheduler::on(TimePoint, const ChunkCancelled& event, std::vector<Action>& actions) {
  for (std::size_t j = 0; j < jobs_.size(); ++j) {
    Job& job = jobs_[j];
    if (job.id != event.job || !job.is_open_stream()) continue;
    if (event.chunk >= job.chunks.front().size() || job.chunks.front()[event.chunk].done) continue;
    cancel_attempts(j, {0, event.chunk}, actions);
    job.chunks.front()[event.chunk] = Chunk{.done = true, .failure = {}};
    finish_stages(job, actions);
  }
}

void ReferenceScheduler::on(TimePoint, const JobForgotten& event, std::vector<Action>&) {
  for (Job& job : jobs_)
    if (job.id == event.job && job.ended) job.forgotten = true;
}

/// From the back: what is run again needs what the stage before gave.
void ReferenceScheduler::reopen(Job& job, std::vector<Action>& actions) {
  if (job.ended) return;
  for (auto s = static_cast<std::uint32_t>(job.spec.size()); s-- > 0;) {
    if (s + 1 == job.spec.size()) continue;
    const bool is_needed = std::any_of(job.chunks[s + 1].begin(), job.chunks[s + 1].end(),
                                       [](const Chunk& chunk) { return !chunk.done; });
    if (!is_needed) continue;
    for (std::uint32_t c = 0; c < job.chunks[s].size(); ++c) {
      if (!job.chunks[s][c].lost) continue;
      job.chunks[s][c] = Chunk{.failure = {}};
      job.stage_finished[s] = false;
      actions.push_back(ChunkReopened{job.id, s, c});
    }
  }
}

bool ReferenceScheduler::keeps_something(WorkerId worker) const {
  for (const Job& job : jobs_)
    for (const auto& stage : job.chunks)
      for (const Chunk& chunk : stage)
        if (!job.ended && chunk.kept_at == worker) return true;
  return false;
}

void ReferenceScheduler::on(TimePoint, const JobCancelled& event, std::vector<Action>& actions) {
  for (std::size_t i = 0; i < jobs_.size(); ++i)
    if (jobs_[i].id == event.job && !jobs_[i].ended)
      end_job(i, {event.job, Outcome::cancelled, {}}, actions);
}

std::optional<ReferenceScheduler::Attempt> ReferenceScheduler::take_result(AttemptId id) {
  const auto entry = attempts_.find(id);
  if (entry == attempts_.end()) return std::nullopt;
  const Attempt attempt = entry->second;
  attempts_.erase(entry);
  if (attempt.cancelled) return std::nullopt;
  --chunk(attempt).running;
  return attempt;
}

void ReferenceScheduler::charge(TimePoint now, const Attempt& attempt, FailureCause cause,
                                std::vector<Action>& actions) {
  Job& job = jobs_[attempt.job];
  const ChunkRef ref = attempt.ref;
  Chunk& failed = chunk(attempt);
  failed.failure.last_worker = attempt.worker;
  const auto delay = policy_.charge(failed.failure, cause, job.spec[ref.stage].budgets);
  if (!delay && job.spec[ref.stage].stream) {
    cancel_attempts(attempt.job, ref, actions);
    actions.push_back(ChunkFailed{job.id, ref.chunk, failed.failure.failures, cause});
    failed = Chunk{.done = true, .failure = {}};
    finish_stages(job, actions);
  } else if (!delay) {
    const JobFailure failure{ref.stage, ref.chunk, failed.failure.failures, cause};
    end_job(attempt.job, {job.id, Outcome::failed, failure}, actions);
  } else if (*delay > Duration::zero() && failed.running == 0) {
    failed.failure.deadline = now + *delay;
  }
}

void ReferenceScheduler::finish_stages(Job& job, std::vector<Action>& actions) {
  for (std::uint32_t i = 0; i < job.spec.size(); ++i) {
    const bool open = job.spec[i].edge == Edge::none || job.stage_finished[i - 1];
    const bool done = std::all_of(job.chunks[i].begin(), job.chunks[i].end(),
                                  [](const Chunk& chunk) { return chunk.done; });
    if (job.stage_finished[i] || !open || !done || (job.spec[i].stream && !job.sealed)) continue;
    job.stage_finished[i] = true;
    actions.push_back(StageFinished{job.id, i});
  }
  if (std::count(job.stage_finished.begin(), job.stage_finished.end(), false) > 0) return;
  job.ended = true;
  actions.push_back(JobFinished{job.id, Outcome::succeeded, {}});
}

void ReferenceScheduler::end_job(std::size_t index, const JobFinished& finished,
                                 std::vector<Action>& actions) {
  jobs_[index].ended = true;
  for (auto& [id, attempt] : attempts_) {
    if (attempt.job != index || attempt.cancelled) continue;
    attempt.cancelled = true;
    actions.push_back(CancelAttempt{id, attempt.worker});
  }
  actions.push_back(finished);
}

bool ReferenceScheduler::may_run(const Job& job, ChunkRef ref) const {
  const Chunk& chunk = job.chunks[ref.stage][ref.chunk];
  if (chunk.done || chunk.running != 0 || chunk.failure.deadline) return false;
  if (job.spec[ref.stage].edge == Edge::each && !job.chunks[ref.stage - 1][ref.chunk].done)
    return false;
  if (job.spec[ref.stage].edge == Edge::barrier && !job.stage_finished[ref.stage - 1]) return false;
  if (chunk.failure.charges[FailureCause::crashed] < 2) return true;
  return std::none_of(attempts_.begin(), attempts_.end(),
                      [](const auto& entry) { return entry.second.alone; });
}

bool ReferenceScheduler::is_before(std::size_t job, std::size_t other) const {
  const auto share = [&](std::size_t index) {
    const auto attempts = std::count_if(attempts_.begin(), attempts_.end(), [&](const auto& entry) {
      return entry.second.job == index && !entry.second.cancelled;
    });
    const auto weight = std::max<std::uint64_t>(1, jobs_[index].rank.weight);
    return (static_cast<std::uint64_t>(attempts) << 32U) / weight;
  };
  const std::int32_t priority = jobs_[job].rank.priority;
  const std::int32_t other_priority = jobs_[other].rank.priority;
  if (priority != other_priority) return priority > other_priority;
  if (share(job) != share(other)) return share(job) < share(other);
  return job < other;
}

std::int64_t ReferenceScheduler::free_slots(WorkerId worker) const {
  const auto busy = std::count_if(attempts_.begin(), attempts_.end(),
                                  [&](const auto& entry) { return entry.second.worker == worker; });
  return std::int64_t{workers_.at(worker).slots} - busy;
}

bool ReferenceScheduler::has_room(WorkerId id) const {
  const Worker& worker = workers_.at(id);
  return !worker.draining && !worker.paused && !worker.suspended_until &&
         free_slots(id) + worker.ahead > 0;
}

std::optional<WorkerId> ReferenceScheduler::best_worker(std::optional<WorkerId> avoid) const {
  std::optional<WorkerId> best;
  for (const auto& [id, worker] : workers_) {
    if (id == avoid || !has_room(id)) continue;
    if (!best || free_slots(id) > free_slots(*best)) best = id;
  }
  if (!best && avoid && workers_.contains(*avoid) && has_room(*avoid)) return avoid;
  return best;
}

void ReferenceScheduler::settle(TimePoint now, std::vector<Action>& actions) {
  std::vector<WorkerId> drained;
  for (const auto& [id, worker] : workers_)
    if (worker.draining && free_slots(id) == worker.slots && !keeps_something(id))
      drained.push_back(id);
  for (const WorkerId id : drained) {
    workers_.erase(id);
    actions.push_back(WorkerReleased{id});
  }
  while (start_first(now, actions)) {
  }
  next_late_.reset();
  if (!best_worker({})) return;
  while (recall_one(actions)) {
  }
  while (const auto late = first_straggler()) {
    if (late->late_from > now) {
      next_late_ = late->late_from;
      return;
    }
    Attempt second = attempts_[late->id];
    second.worker = late->helper;
    second.recalled = false;
    second.kept = false;
    second.started = now;
    ++chunk(second).running;
    const AttemptId id{++attempts_started_};
    attempts_[id] = second;
    actions.push_back(StartAttempt{id, jobs_[second.job].id, second.ref.stage, second.ref.chunk,
                                   second.worker, chunk(second).failure.failures + 1, false, true});
  }
}

bool ReferenceScheduler::start_first(TimePoint now, std::vector<Action>& actions) {
  if (!best_worker({})) return false;
  // Of every job its first chunk that may run, but of those in quarantine the first of all.
  struct Candidate {
    std::size_t job;
    ChunkRef ref;
    bool alone;
  };
  std::vector<Candidate> candidates;
  bool quarantine_seen = false;
  for (std::size_t j = 0; j < jobs_.size(); ++j) {
    bool ready_seen = false;
    for (std::uint32_t s = 0; s < jobs_[j].spec.size() && !jobs_[j].ended; ++s)
      for (std::uint32_t c = 0; c < jobs_[j].chunks[s].size(); ++c) {
        if (!may_run(jobs_[j], {s, c})) continue;
        const bool alone = jobs_[j].chunks[s][c].failure.charges[FailureCause::crashed] >= 2;
        bool& seen = alone ? quarantine_seen : ready_seen;
        if (!seen) candidates.push_back({j, {s, c}, alone});
        seen = true;
      }
  }
  if (candidates.empty()) return false;
  const Candidate first = *std::min_element(
      candidates.begin(), candidates.end(), [&](const Candidate& a, const Candidate& b) {
        return a.job == b.job ? a.ref < b.ref : is_before(a.job, b.job);
      });
  Job& job = jobs_[first.job];
  const auto [s, c] = first.ref;
  Chunk& chunk = job.chunks[s][c];
  const FailureRecord& failure = chunk.failure;
  const auto avoid = failure.failures > 0 ? std::optional(failure.last_worker) : std::nullopt;
  const WorkerId worker = *best_worker(avoid);
  const AttemptId id{++attempts_started_};
  chunk.running = 1;
  attempts_[id] = {first.job, {s, c}, worker, first.alone, false, false, now};
  actions.push_back(StartAttempt{id, job.id, s, c, worker, failure.failures + 1, first.alone});
  return true;
}

std::int64_t ReferenceScheduler::slots_to_spare() const {
  std::int64_t idle = 0;
  for (const auto& [id, worker] : workers_)
    if (has_room(id)) idle += std::max<std::int64_t>(0, free_slots(id));
  for (const auto& [id, attempt] : attempts_) idle -= attempt.recalled ? 1 : 0;
  return idle;
}

/// Of every stage the oldest attempt, of those the one that is late first; if another worker has a
/// slot for it.
std::optional<ReferenceScheduler::Straggler> ReferenceScheduler::first_straggler() const {
  if (!speculation_ || slots_to_spare() <= 0) return std::nullopt;
  std::optional<Straggler> first;
  WorkerId at;
  for (std::size_t j = 0; j < jobs_.size(); ++j)
    for (std::uint32_t s = 0; s < jobs_[j].spec.size(); ++s) {
      const auto& took = jobs_[j].took[s];
      if (!jobs_[j].spec[s].speculate) continue;
      const std::size_t enough = std::max<std::size_t>(1, jobs_[j].chunks[s].size() * 3 / 4);
      const std::size_t samples = speculation_->samples;
      if (took.size() < (jobs_[j].spec[s].stream ? samples : std::min(samples, enough))) continue;
      if (jobs_[j].spec[s].edge == Edge::barrier && !jobs_[j].stage_finished[s - 1]) continue;
      const Duration total = std::accumulate(took.begin(), took.end(), Duration());
      const Duration usual = total / static_cast<Duration::rep>(took.size());
      const Duration limit = std::max(speculation_->at_least, usual * speculation_->times);
      std::optional<TimePoint> oldest;
      for (const auto& [id, attempt] : attempts_) {
        if (attempt.job != j || attempt.ref.stage != s || attempt.cancelled || attempt.alone)
          continue;
        if (jobs_[j].chunks[s][attempt.ref.chunk].running != 1) continue;
        if (oldest && *oldest <= attempt.started) continue;
        oldest = attempt.started;
        if (first && first->late_from <= attempt.started + limit) continue;
        first = Straggler{id, attempt.started + limit, {}};
        at = attempt.worker;
      }
    }
  if (!first) return std::nullopt;
  const auto helper = best_worker(at);
  if (!helper || *helper == at || free_slots(*helper) <= 0) return std::nullopt;
  first->helper = *helper;
  return first;
}

bool ReferenceScheduler::recall_one(std::vector<Action>& actions) {
  const std::int64_t idle = slots_to_spare();
  std::int64_t most = 0;
  std::optional<AttemptId> newest;
  for (const auto& [worker, what] : workers_) {
    std::int64_t surplus = -std::int64_t{what.slots};
    std::int64_t movable = 0;
    std::optional<AttemptId> last;
    for (const auto& [id, attempt] : attempts_) {
      if (attempt.worker != worker || attempt.cancelled || attempt.recalled || attempt.alone)
        continue;
      ++surplus;
      if (attempt.kept) continue;
      ++movable;
      last = id;
    }
    surplus = std::min(surplus, movable);
    if (surplus <= most) continue;
    most = surplus;
    newest = last;
  }
  if (idle <= 0 || !newest) return false;
  attempts_[*newest].recalled = true;
  actions.push_back(RecallAttempt{*newest, attempts_[*newest].worker});
  return true;
}

}  // namespace muster::simulation
