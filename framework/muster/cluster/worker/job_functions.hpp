#pragma once

#include <string_view>

#include <muster/executors/remote_call.hpp>

namespace muster::cluster {

/// What a worker's own task processes run: an attempt of a job. The bytes are an encoded JobPlace
/// and an encoded JobCall; the result is an encoded JobCallEnd.
void run_job_call(TaskContext& context, std::string_view bytes, detail::ResultSink& result);

}  // namespace muster::cluster
