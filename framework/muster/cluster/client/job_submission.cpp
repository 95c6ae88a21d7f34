#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/cluster/client/job_submission.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/jobs/plan_codec.hpp>
#include <muster/jobs/task_functions.hpp>

namespace muster::cluster {
namespace {

// So that it fits into one message.
constexpr std::size_t plan_bytes_max = std::size_t{15} << 20U;

}  // namespace

JobSubmission::JobSubmission(jobs::JobSpec spec, unsigned slots, const std::stop_token& stop)
    : spec_(std::move(spec)) {
  if (spec_.temp_parent.empty()) spec_.temp_parent = default_temp_parent();
  ProcessPoolExecutor pool({.max_workers = 1, .prefetch = 0});
  plan_ = jobs::make_plan(spec_, std::max(1U, slots), jobs::pool_inspector(pool, stop),
                          [this]() -> const std::filesystem::path& { return directory(); });
}

const std::filesystem::path& JobSubmission::directory() {
  if (!temp_) temp_.emplace(spec_.temp_parent);
  return temp_->path();
}

std::uint64_t JobSubmission::hand_over(JobClient& client, std::int32_t priority) {
  wire::SubmitJob job;
  job.name = plan_.info.name;
  job.plan = jobs::encode(plan_);
  job.priority = priority;
  job.overwrite = spec_.overwrite;
  if (spec_.output) {
    job.output = std::filesystem::absolute(*spec_.output);
  } else {
    job.parts = std::filesystem::absolute(directory());
  }
  if (job.plan.size() > plan_bytes_max) {
    throw Error(ErrorCode::limit,
                fmt::format("the plan of {} chunks is too large to be sent", plan_.chunks.size()),
                "give a larger chunk size, or fewer files");
  }
  return client.submit(std::move(job), plan_.task.plugin);
}

}  // namespace muster::cluster
