#pragma once

#include <string>
#include <vector>

#include <muster/cluster/coordinator/questions.hpp>
#include <muster/wire/jobs.hpp>

/// What a coordinator answers, as JSON in one line without its end, for programs. Each document has
/// "schema": 1; names stay what they are within one, others may come. Sizes are in bytes, durations
/// in seconds, points in time in seconds since 1970.
namespace muster::dashboard {

std::string jobs_json(const std::vector<wire::JobState>& jobs);
std::string job_json(const wire::JobState& job);
std::string log_json(std::uint64_t job, const wire::JobLog& log);
std::string workers_json(const wire::WorkerRows& rows);
std::string numbers_json(const cluster::CoordinatorNumbers& numbers);
std::string error_json(const std::string& message, const std::string& hint);
/// An order was carried out.
std::string done_json();

}  // namespace muster::dashboard
