#include <muster/scheduling/scheduler.hpp>

// The part of the scheduler that is about streams.

namespace muster::scheduling {

void Scheduler::on(TimePoint, const ChunksAdded& event, std::vector<Action>&) {
  Job* const job = running_job(event.job);
  if (job == nullptr) return;
  if (!job->state.can_grow(event.count)) {
    ++counters_.ignored_events;
    return;
  }
  job->state.add_chunks(event.count);
  update_ready(*job);
}

void Scheduler::on(TimePoint, const StreamSealed& event, std::vector<Action>& actions) {
  Job* const job = running_job(event.job);
  if (job == nullptr) return;
  if (!job->state.can_grow(0)) {
    ++counters_.ignored_events;
    return;
  }
  job->state.seal(actions);
  end_if_done(*job, actions);
}

void Scheduler::on(TimePoint, const ChunkCancelled& event, std::vector<Action>& actions) {
  Job* const job = running_job(event.job);
  if (job == nullptr) return;
  const ChunkRef ref{0, event.chunk};
  if (!job->state.is_stream() || job->state.has_ended(ref)) {
    ++counters_.ignored_events;
    return;
  }
  end_chunk(*job, ref, std::nullopt, actions);
}

/// A chunk of a stream is over, for the cause, or since nobody wants it.
void Scheduler::end_chunk(Job& job, ChunkRef ref, std::optional<FailureCause> cause,
                          std::vector<Action>& actions) {
  if (const std::optional<AttemptId> first = job.state.attempt_of(ref)) {
    const std::optional<AttemptId> second = attempts_.at(*first).twin;
    cancel(*first, actions);
    job.state.detach(ref, *first, second);
    if (second) {
      cancel(*second, actions);
      job.state.detach(ref, *second, std::nullopt);
    }
  }
  if (const FailureRecord* const record = job.state.find_failure(ref)) {
    const QueuedChunk chunk{job.state.order(), job.state.id(), ref};
    quarantine_.erase(chunk);
    if (record->deadline) deadlines_.erase({*record->deadline, chunk});
  }
  if (cause) {
    job.state.fail(ref, *cause, actions);
  } else {
    job.state.cancel(ref, actions);
  }
  end_if_done(job, actions);
  update_ready(job);
}

}  // namespace muster::scheduling
