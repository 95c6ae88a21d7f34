#include <optional>

#include <fcntl.h>

#include <muster/base/checksum.hpp>
#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/jobs/manifest.hpp>
#include <muster/jobs/run_job.hpp>
#include <muster/jobs/task_functions.hpp>

namespace muster::jobs {
namespace {

void copy_part(const std::filesystem::path& path, const mapreduce::PartTotals& expected,
               const std::function<void(std::string_view)>& write) {
  const UniqueFd fd = open_file(path, O_RDONLY);
  std::string block(std::size_t{256} << 10U, '\0');
  std::uint64_t offset = 0;
  Checksum checksum;
  for (;;) {
    const std::size_t got = read_at(fd.get(), block.data(), block.size(), offset, path);
    if (got == 0) break;
    const std::string_view text = std::string_view(block).substr(0, got);
    checksum.add(text);
    write(text);
    offset += got;
  }
  if (offset == expected.bytes && checksum.value() == expected.checksum) return;
  throw Error(ErrorCode::corrupt, "temporary file '" + path.string() + "' is damaged");
}

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
  if (spec.output) output.emplace(*spec.output, spec.overwrite);
  const TempDir temp(spec.temp_parent);
  const auto spool = [&]() -> const std::filesystem::path& { return temp.path(); };
  const Plan plan = make_plan(spec, pool_.max_workers(), pool_inspector(pool_, stop_), spool);
  observer_.planned(describe(plan));

  JobData data;
  const Workspace workspace{temp.path(), output ? &*output : nullptr};
  const auto stages = make_stages(plan, workspace, data);
  std::vector<StageReport> done = run_stages(stages, pool_, observer_, stop_);
  JobReport report = add_up(plan, data, std::move(done));
  if (output) {
    output->commit(make_manifest(plan, data));
  } else if (plan.map_only()) {
    for (std::size_t i = 0; i < data.parts.size(); ++i) {
      copy_part(data.part_files[i], data.parts[i], write_result);
    }
  } else {
    mapreduce::merge_parts(data.part_files, write_result);
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
