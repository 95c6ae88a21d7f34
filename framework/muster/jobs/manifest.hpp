#pragma once

#include <string>

#include <muster/jobs/plan.hpp>
#include <muster/jobs/stage.hpp>

namespace muster::jobs {

/// The manifest of an output directory, as JSON: schema, job, input, and for each part its name,
/// records, bytes and XXH3-64.
std::string make_manifest(const Plan& plan, const JobData& data);

}  // namespace muster::jobs
