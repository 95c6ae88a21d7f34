#include "reference_scheduler.hpp"

#include <algorithm>

namespace muster::simulation {

void ReferenceScheduler::handle(TimePoint now, const Event& event, std::vector<Action>& actions) {
  std::visit([&](const auto& e) { on(now, e, actions); }, event);
  while (start_first(actions)) {
  }
}

void ReferenceScheduler::expire(TimePoint now, std::vector<Action>& actions) {
  for (Job& job : jobs_)
    for (auto& stage : job.chunks)
      for (Chunk& chunk : stage)
        if (chunk.failure.deadline <= now) chunk.failure.deadline.reset();
  while (start_first(actions)) {
  }
}

std::optional<TimePoint> ReferenceScheduler::next_deadline() const {
  std::optional<TimePoint> next;
  for (const Job& job : jobs_)
    for (const auto& stage : job.chunks)
      for (const Chunk& chunk : stage) {
        const auto& deadline = chunk.failure.deadline;
        if (!job.ended && deadline && (!next || deadline < next)) next = deadline;
      }
  return next;
}

void ReferenceScheduler::on(TimePoint, const JobSubmitted& event, std::vector<Action>& actions) {
  std::optional<Rejection> rejection = validate(event.spec);
  for (const Job& job : jobs_)
    if (job.id == event.job) rejection = Rejection::duplicate_job;
  if (rejection) {
    actions.push_back(JobRejected{event.job, *rejection});
    return;
  }
  Job job{event.job, event.spec, {}, std::vector<bool>(event.spec.size()), false};
  for (const StageSpec& stage : event.spec) job.chunks.emplace_back(stage.chunk_count);
  jobs_.push_back(std::move(job));
  finish_stages(jobs_.back(), actions);
}

void ReferenceScheduler::on(TimePoint, const WorkerJoined& event, std::vector<Action>&) {
  workers_.try_emplace(event.worker, event.slots);
}

void ReferenceScheduler::on(TimePoint now, const WorkerLost& event, std::vector<Action>& actions) {
  workers_.erase(event.worker);
  std::vector<Attempt> lost;
  for (const auto& [id, attempt] : attempts_)
    if (attempt.worker == event.worker) lost.push_back(attempt);
  std::erase_if(attempts_, [&](const auto& entry) { return entry.second.worker == event.worker; });
  for (const Attempt& attempt : lost)
    if (!jobs_[attempt.job].ended) charge(now, attempt, FailureCause::worker_lost, actions);
}

void ReferenceScheduler::on(TimePoint, const AttemptSucceeded& event,
                            std::vector<Action>& actions) {
  const auto attempt = take_result(event.attempt);
  if (!attempt) return;
  Job& job = jobs_[attempt->job];
  chunk(*attempt) = Chunk{.done = true, .running = false, .failure = {}};
  actions.push_back(ChunkFinished{job.id, attempt->ref.stage, attempt->ref.chunk, event.attempt});
  finish_stages(job, actions);
}

void ReferenceScheduler::on(TimePoint now, const AttemptFailed& event,
                            std::vector<Action>& actions) {
  const auto attempt = take_result(event.attempt);
  if (attempt) charge(now, *attempt, event.cause, actions);
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
  return attempt;
}

void ReferenceScheduler::charge(TimePoint now, const Attempt& attempt, FailureCause cause,
                                std::vector<Action>& actions) {
  const Job& job = jobs_[attempt.job];
  const ChunkRef ref = attempt.ref;
  Chunk& failed = chunk(attempt);
  failed.running = false;
  failed.failure.last_worker = attempt.worker;
  const auto delay = policy_.charge(failed.failure, cause, job.spec[ref.stage].budgets);
  if (!delay) {
    const JobFailure failure{ref.stage, ref.chunk, failed.failure.failures, cause};
    end_job(attempt.job, {job.id, Outcome::failed, failure}, actions);
  } else if (*delay > Duration::zero()) {
    failed.failure.deadline = now + *delay;
  }
}

void ReferenceScheduler::finish_stages(Job& job, std::vector<Action>& actions) {
  for (std::uint32_t i = 0; i < job.spec.size(); ++i) {
    const bool open = job.spec[i].edge == Edge::none || job.stage_finished[i - 1];
    const bool done = std::all_of(job.chunks[i].begin(), job.chunks[i].end(),
                                  [](const Chunk& chunk) { return chunk.done; });
    if (job.stage_finished[i] || !open || !done) continue;
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
    if (attempt.job != index) continue;
    attempt.cancelled = true;
    actions.push_back(CancelAttempt{id, attempt.worker});
  }
  actions.push_back(finished);
}

bool ReferenceScheduler::may_run(const Job& job, ChunkRef ref) const {
  const Chunk& chunk = job.chunks[ref.stage][ref.chunk];
  if (chunk.done || chunk.running || chunk.failure.deadline) return false;
  if (job.spec[ref.stage].edge == Edge::each && !job.chunks[ref.stage - 1][ref.chunk].done)
    return false;
  if (job.spec[ref.stage].edge == Edge::barrier && !job.stage_finished[ref.stage - 1]) return false;
  if (chunk.failure.charges[FailureCause::crashed] < 2) return true;
  return std::none_of(attempts_.begin(), attempts_.end(),
                      [](const auto& entry) { return entry.second.alone; });
}

std::uint32_t ReferenceScheduler::free_slots(WorkerId worker) const {
  const auto busy = std::count_if(attempts_.begin(), attempts_.end(),
                                  [&](const auto& entry) { return entry.second.worker == worker; });
  return workers_.at(worker) - static_cast<std::uint32_t>(busy);
}

std::optional<WorkerId> ReferenceScheduler::best_worker(std::optional<WorkerId> avoid) const {
  std::optional<WorkerId> best;
  std::uint32_t most = 0;
  for (const auto& [worker, slots] : workers_) {
    if (worker == avoid || free_slots(worker) <= most) continue;
    best = worker;
    most = free_slots(worker);
  }
  if (!best && avoid && workers_.contains(*avoid) && free_slots(*avoid) > 0) return avoid;
  return best;
}

bool ReferenceScheduler::start_first(std::vector<Action>& actions) {
  if (!best_worker({})) return false;
  for (std::size_t j = 0; j < jobs_.size(); ++j) {
    Job& job = jobs_[j];
    for (std::uint32_t s = 0; s < job.spec.size() && !job.ended; ++s)
      for (std::uint32_t c = 0; c < job.chunks[s].size(); ++c) {
        if (!may_run(job, {s, c})) continue;
        Chunk& chunk = job.chunks[s][c];
        const FailureRecord& failure = chunk.failure;
        const bool alone = failure.charges[FailureCause::crashed] >= 2;
        const auto avoid = failure.failures > 0 ? std::optional(failure.last_worker) : std::nullopt;
        const WorkerId worker = *best_worker(avoid);
        const AttemptId id{++attempts_started_};
        chunk.running = true;
        attempts_[id] = {j, {s, c}, worker, alone, false};
        actions.push_back(StartAttempt{id, job.id, s, c, worker, failure.failures + 1, alone});
        return true;
      }
  }
  return false;
}

}  // namespace muster::simulation
