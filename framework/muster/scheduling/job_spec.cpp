#include <algorithm>

#include <muster/scheduling/job_spec.hpp>

namespace muster::scheduling {

std::uint32_t RetryBudgets::of(FailureCause cause) const {
  switch (cause) {
    case FailureCause::task_error:
      return task_error;
    case FailureCause::crashed:
      return crashed;
    case FailureCause::killed:
      return killed;
    case FailureCause::worker_lost:
      return worker_lost;
    case FailureCause::out_of_memory:
      return out_of_memory;
    case FailureCause::no_space:
      return no_space;
    case FailureCause::input_changed:
      return input_changed;
    case FailureCause::input_lost:
      return input_lost;
  }
  return 1;
}

std::string_view to_string(Rejection rejection) noexcept {
  switch (rejection) {
    case Rejection::duplicate_job:
      return "a job of that id was submitted before";
    case Rejection::too_many_stages:
      return "too many stages";
    case Rejection::too_many_chunks:
      return "too many chunks";
    case Rejection::first_stage_edge:
      return "the first stage has no stage before it to wait for";
    case Rejection::unequal_counts:
      return "an `each` edge joins stages of different chunk counts";
    case Rejection::empty_budget:
      return "a retry budget allows no attempt";
    case Rejection::kept_for_none:
      return "a stage keeps its output on the workers, and no barrier follows it";
    case Rejection::stream_and_more:
      return "a stream is not the only stage of its job";
  }
  return "unknown";
}

std::optional<Rejection> validate(const JobSpec& spec) {
  if (spec.size() > stages_max) return Rejection::too_many_stages;
  std::uint64_t chunks = 0;
  for (std::size_t i = 0; i < spec.size(); ++i) {
    const StageSpec& stage = spec[i];
    const RetryBudgets& b = stage.budgets;
    chunks += stage.chunk_count;
    if (chunks > chunks_max) return Rejection::too_many_chunks;
    if (i == 0 && stage.edge != Edge::none) return Rejection::first_stage_edge;
    if (stage.edge == Edge::each && stage.chunk_count != spec[i - 1].chunk_count)
      return Rejection::unequal_counts;
    if (std::min({b.task_error, b.crashed, b.killed, b.worker_lost, b.out_of_memory, b.no_space,
                  b.input_changed, b.input_lost}) == 0)
      return Rejection::empty_budget;
    const bool has_reader = i + 1 < spec.size() && spec[i + 1].edge == Edge::barrier;
    if (stage.keeps_output && !has_reader) return Rejection::kept_for_none;
    if (stage.stream && spec.size() > 1) return Rejection::stream_and_more;
  }
  return std::nullopt;
}

}  // namespace muster::scheduling
