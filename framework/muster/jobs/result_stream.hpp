#pragma once

#include <functional>
#include <string_view>

#include <muster/jobs/stage.hpp>

namespace muster::jobs {

/// Passes the result of a job without an output directory to `write`, whole lines in order: sorted
/// by key bytes, or in the order of the input if the task is map-only. Throws Error(io or corrupt),
/// and what `write` throws.
void stream_result(const Plan& plan, const JobData& data,
                   const std::function<void(std::string_view)>& write);

}  // namespace muster::jobs
