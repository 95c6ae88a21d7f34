#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cli/cluster_run.hpp>
#include <muster/cluster/client/job_client.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/jobs/plan_codec.hpp>
#include <muster/jobs/result_stream.hpp>
#include <muster/jobs/task_functions.hpp>

namespace muster::cli {
namespace {

constexpr Duration cancel_within = std::chrono::seconds(30);
// So that it fits into one message.
constexpr std::size_t plan_bytes_max = std::size_t{15} << 20U;

/// What there is before the job has been handed over.
struct Prepared {
  std::optional<TempDir> temp;  ///< copies of standard input, and parts that are fetched
  jobs::Plan plan;

  const std::filesystem::path& directory(const jobs::JobSpec& spec) {
    if (!temp) temp.emplace(spec.temp_parent);
    return temp->path();
  }
};

Prepared prepare(const ClusterRun& run, unsigned slots, const StopSignals& signals) {
  Prepared out;
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 0});
  out.plan =
      jobs::make_plan(run.spec, std::max(1U, slots), jobs::pool_inspector(pool, signals.token()),
                      [&]() -> const std::filesystem::path& { return out.directory(run.spec); });
  return out;
}

std::uint64_t hand_over(cluster::JobClient& client, const ClusterRun& run, Prepared& prepared) {
  wire::SubmitJob job;
  job.name = prepared.plan.info.name;
  job.plan = jobs::encode(prepared.plan);
  job.priority = run.priority;
  job.overwrite = run.spec.overwrite;
  if (run.spec.output) {
    job.output = std::filesystem::absolute(*run.spec.output);
  } else {
    job.parts = std::filesystem::absolute(prepared.directory(run.spec));
  }
  if (job.plan.size() > plan_bytes_max) {
    throw Error(
        ErrorCode::limit,
        fmt::format("the plan of {} chunks is too large to be sent", prepared.plan.chunks.size()),
        "give a larger --chunk-size, or fewer files");
  }
  return client.submit(std::move(job), prepared.plan.task.plugin);
}

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

jobs::JobReport report_of(const wire::JobState& state) {
  jobs::JobReport out;
  for (const wire::StageState& each : state.stages) {
    jobs::StageReport stage;
    stage.name = each.name;
    stage.chunks = each.chunks_done;
    stage.bytes = each.bytes_done;
    stage.elapsed = Duration(each.elapsed_ns);
    out.stages.push_back(std::move(stage));
    out.retries += each.retries;
  }
  out.input_bytes = state.input_bytes;
  out.records_mapped = state.records_mapped;
  out.records = state.records;
  out.result_bytes = state.result_bytes;
  out.parts = state.parts;
  return out;
}

jobs::JobData data_of(const wire::JobState& state) {
  jobs::JobData out;
  for (const wire::JobPart& each : state.part_files) {
    out.part_files.emplace_back(each.file);
    out.parts.push_back({each.records, each.bytes, each.checksum});
  }
  return out;
}

wire::JobState follow(cluster::JobClient& client, std::uint64_t job, JobView& view,
                      const StopSignals& signals) {
  Follower follower(view);
  const auto on_news = [&](const wire::JobState& state) { follower(state); };
  wire::JobState state = client.watch(job, on_news, [&] { return signals.received() != 0; });
  if (state.has_ended()) return state;
  client.cancel(job);
  const TimePoint until = Clock::now() + cancel_within;
  state = client.watch(job, on_news, [&] { return Clock::now() >= until; });
  if (state.has_ended()) return state;
  throw Error(ErrorCode::cancelled, fmt::format("job {} was told to stop and has not yet", job));
}

}  // namespace

void run_on_cluster(const ClusterRun& run, JobView& view, const StopSignals& signals,
                    const std::function<void(std::string_view)>& write_result) {
  const TimePoint start = Clock::now();
  cluster::JobClient client(run.coordinator, {.keys = run.keys});
  Prepared prepared = prepare(run, client.slots(), signals);
  if (run.dry_run) {
    write_result(view.explain(prepared.plan));
    return;
  }
  view.planned(jobs::describe(prepared.plan));
  const std::uint64_t job = hand_over(client, run, prepared);
  const wire::JobState state = follow(client, job, view, signals);
  using Phase = wire::JobState::Phase;
  if (state.phase == Phase::cancelled) throw Error(ErrorCode::cancelled, "cancelled");
  if (state.phase == Phase::failed)
    throw Error(static_cast<ErrorCode>(state.code), state.message, state.hint);
  if (!run.spec.output) jobs::stream_result(prepared.plan, data_of(state), write_result);
  jobs::JobReport report = report_of(state);
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
  Prepared prepared = prepare(run, client.slots(), signals);
  return hand_over(client, run, prepared);
}

}  // namespace muster::cli
