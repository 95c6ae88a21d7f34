#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>

#include <muster/base/temp_dir.hpp>
#include <muster/cluster/client/job_client.hpp>
#include <muster/jobs/job_spec.hpp>
#include <muster/jobs/plan.hpp>

namespace muster::cluster {

/// A job on its way to a coordinator: planned here, with the files that it needs here until it has
/// ended and its result was read: copies of standard input, and parts that are fetched. Not
/// thread-safe.
class JobSubmission {
 public:
  /// Plans it for so many slots. What plugins do when they are loaded they do in a task process
  /// here. Throws Error as jobs::make_plan does.
  JobSubmission(jobs::JobSpec spec, unsigned slots, const std::stop_token& stop);

  const jobs::Plan& plan() const noexcept { return plan_; }

  /// Hands it over and gives its number. Throws Error(limit) if its plan is too large for a
  /// message, and as JobClient does.
  std::uint64_t hand_over(JobClient& client, std::int32_t priority);

 private:
  const std::filesystem::path& directory();

  jobs::JobSpec spec_;
  std::optional<TempDir> temp_;
  jobs::Plan plan_;
};

}  // namespace muster::cluster
