#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/cli/cluster_run.hpp>
#include <muster/cluster/client/job_client.hpp>
#include <muster/cluster/client/job_outcome.hpp>
#include <muster/cluster/client/job_submission.hpp>
#include <muster/jobs/result_stream.hpp>

namespace muster::cli {
namespace {

constexpr Duration cancel_within = std::chrono::seconds(30);

/// Passes on what has changed.
class Follower {
 public:
  explicit Follower(JobView& view) : view_(view) {}

  void operator()(const wire::JobState& state) {
    for (std::size_t i = 0; i < state.stages.size(); ++i) {
      const wire::StageState& each = state.stages[i];
      const bool is_done = each.chunks_done == each.chunks;
      if (i < finished_) continue;
      view_.progress({each.name, each.chunks_done, each.chunks, each.bytes_done, each.bytes,
                      each.retries, Duration(each.elapsed_ns)});
      const bool is_behind = i + 1 < state.stages.size() || state.has_ended();
      if (is_done && is_behind) finished_ = i + 1;
    }
  }

 private:
  JobView& view_;
  std::size_t finished_ = 0;  ///< stages
};

wire::JobState follow(cluster::JobClient& client, std::uint64_t job, JobView& view,
                      const StopSignals& signals) {
  Follower follower(view);
  const auto on_news = [&](const wire::JobState& state) { follower(state); };
  wire::JobState state = client.watch(
      job, {.on_state = on_news, .stop_waiting = [&] { return signals.received() != 0; }});
  if (state.has_ended()) return state;
  client.cancel(job);
  const TimePoint until = Clock::now() + cancel_within;
  state = client.watch(
      job, {.on_state = on_news, .stop_waiting = [&] { return Clock::now() >= until; }});
  if (state.has_ended()) return state;
  throw Error(ErrorCode::cancelled, fmt::format("job {} was told to stop and has not yet", job));
}

}  // namespace

void run_on_cluster(const ClusterRun& run, JobView& view, const StopSignals& signals,
                    const std::function<void(std::string_view)>& write_result) {
  const TimePoint start = Clock::now();
  cluster::JobClient client(run.coordinator, {.keys = run.keys});
  cluster::JobSubmission submission(run.spec, client.slots(), signals.token());
  if (run.dry_run) {
    write_result(view.explain(submission.plan()));
    return;
  }
  observe::JobPlanned planned = jobs::describe(submission.plan());
  planned.coordinator = run.coordinator;
  view.planned(planned);
  const std::uint64_t job = submission.hand_over(client, run.priority);
  if (client.slots() == 0) view.waits_for_workers(run.coordinator);
  const wire::JobState state = follow(client, job, view, signals);
  cluster::require_success(state);
  if (!run.spec.output)
    jobs::stream_result(submission.plan(), cluster::data_of(state), write_result);
  jobs::JobReport report = cluster::report_of(state);
  report.elapsed = Clock::now() - start;
  view.succeeded(report, run.spec.output ? run.spec.output->string() : "");
}

std::uint64_t submit_to_cluster(const ClusterRun& run, const StopSignals& signals) {
  if (run.dry_run) {
    throw Error(ErrorCode::usage, "'muster submit' has no --dry-run",
                "'muster run --dry-run' shows the plan");
  }
  if (!run.spec.output) {
    throw Error(ErrorCode::usage, "a job that nobody waits for needs an output directory",
                "add --output DIR, which the workers have to see");
  }
  if (std::count(run.spec.inputs.begin(), run.spec.inputs.end(), "-") != 0) {
    throw Error(ErrorCode::usage, "standard input is gone when a job runs that nobody waits for",
                "put it into a file, or use 'muster run --coordinator'");
  }
  cluster::JobClient client(run.coordinator, {.keys = run.keys});
  return cluster::JobSubmission(run.spec, client.slots(), signals.token())
      .hand_over(client, run.priority);
}

}  // namespace muster::cli
