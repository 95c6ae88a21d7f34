#pragma once

#include <muster/jobs/run_job.hpp>
#include <muster/jobs/stage.hpp>
#include <muster/wire/jobs.hpp>

namespace muster::cluster {

/// What the last state of a job says. Pure.

/// Throws the Error that it has ended with, if it has not succeeded.
void require_success(const wire::JobState& state);
/// All but the time that passed for whoever ran it.
jobs::JobReport report_of(const wire::JobState& state);
/// The parts of its result, for jobs::stream_result().
jobs::JobData data_of(const wire::JobState& state);

}  // namespace muster::cluster
