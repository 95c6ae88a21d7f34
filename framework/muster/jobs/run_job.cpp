#include <optional>

#include <muster/base/temp_dir.hpp>
#include <muster/jobs/manifest.hpp>
#include <muster/jobs/result_stream.hpp>
#include <muster/jobs/run_job.hpp>
#include <muster/jobs/task_functions.hpp>

namespace muster::jobs {
namespace {

JobReport add_up(const Plan& plan, const JobData& data, std::vector<StageReport> stages) {
  JobReport report;
  report.input_bytes = plan.input_bytes;
  report.records_mapped = data.records_mapped;
  report.parts = static_cast<std::uint32_t>(data.parts.size());
  for (const mapreduce::PartTotals& each : data.parts) {
    report.records += each.records;
    report.result_bytes += each.bytes;
  }
  for (const StageReport& stage : stages) {
    for (std::size_t i = 0; i < scheduling::failure_cause_count; ++i) {
      report.retries += stage.retries[static_cast<scheduling::FailureCause>(i)];
    }
  }
  report.stages = std::move(stages);
  return report;
}

}  // namespace

JobReport LocalJobs::run(const JobSpec& spec,
                         const std::function<void(std::string_view)>& write_result) {
  const TimePoint start = Clock::now();
  // Made first: an output that cannot be written is known before any work is done.
  std::optional<mapreduce::OutputDirectory> output;
  if (spec.output) {
    output.emplace(*spec.output, spec.overwrite);
    mapreduce::remove_leftovers(*spec.output);
  }
  const TempDir temp(spec.temp_parent);
  const auto spool = [&]() -> const std::filesystem::path& { return temp.path(); };
  const Plan plan = make_plan(spec, pool_.max_workers(), pool_inspector(pool_, stop_), spool);
  observer_.planned(describe(plan));

  JobData data;
  const Workspace workspace{temp.path(), output ? output->staging() : temp.path(),
                            output.has_value()};
  std::vector<StageReport> done =
      run_stages(make_stages(plan, workspace, data), pool_, observer_, stop_);
  JobReport report = add_up(plan, data, std::move(done));
  if (output) {
    commit_output(*output, plan, data);
  } else {
    stream_result(plan, data, write_result);
  }
  report.elapsed = Clock::now() - start;
  return report;
}

void LocalJobs::explain(const JobSpec& spec, const std::function<void(const Plan&)>& visit) {
  if (spec.output) mapreduce::check_output(*spec.output, spec.overwrite);
  std::optional<TempDir> temp;
  const auto spool = [&]() -> const std::filesystem::path& {
    if (!temp) temp.emplace(spec.temp_parent);
    return temp->path();
  };
  visit(make_plan(spec, pool_.max_workers(), pool_inspector(pool_, stop_), spool));
}

}  // namespace muster::jobs
