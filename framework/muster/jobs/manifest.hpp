#pragma once

#include <string>

#include <muster/jobs/plan.hpp>
#include <muster/jobs/stage.hpp>
#include <muster/mapreduce/output_directory.hpp>

namespace muster::jobs {

/// The manifest of an output directory, as JSON: schema, job, input, and for each part its name,
/// records, bytes and XXH3-64.
std::string make_manifest(const Plan& plan, const JobData& data);

/// Makes the parts of a job that has succeeded visible, with their manifest. Throws as
/// OutputDirectory::commit.
void commit_output(mapreduce::OutputDirectory& output, const Plan& plan, const JobData& data);

}  // namespace muster::jobs
