#include <muster/scheduling/scheduler.hpp>

// How jobs begin.

namespace muster::scheduling {

void Scheduler::on(TimePoint, const JobSubmitted& event, std::vector<Action>& actions) {
  std::optional<Rejection> rejection = validate(event.spec);
  if (jobs_.contains(event.job)) rejection = Rejection::duplicate_job;
  if (rejection) {
    actions.push_back(JobRejected{event.job, *rejection});
    return;
  }
  const std::uint64_t order = submitted_++;
  Job& job = jobs_
                 .emplace(event.job, Job{JobState(event.job, order, event.spec), event.rank,
                                         std::vector<StageTimes>(event.spec.size())})
                 .first->second;
  for (const RestoredChunk& each : event.restored) restore(job, each);
  job.state.open(actions);
  end_if_done(job, actions);
  update_ready(job);
}

void Scheduler::restore(Job& job, const RestoredChunk& chunk) {
  const bool is_known = !chunk.worker || workers_.contains(*chunk.worker);
  if (!is_known || !job.state.restore({chunk.stage, chunk.chunk}, chunk.worker)) {
    ++counters_.ignored_events;
  } else if (chunk.worker && job.state.keeps_output(chunk.stage)) {
    holders_[*chunk.worker].insert(job.state.id());
  }
}

}  // namespace muster::scheduling
