#pragma once

#include <filesystem>
#include <stop_token>
#include <string_view>

#include <muster/executors/process_pool.hpp>
#include <muster/jobs/plan.hpp>
#include <muster/jobs/stage.hpp>

namespace muster::jobs {

/// What task processes run for a job. Arguments and results are the encoded requests and results
/// of mapreduce/attempt.hpp; for count_task, encoded input ranges and one varint a range.
Bytes map_task(TaskContext& context, std::string_view request);
Bytes reduce_task(TaskContext& context, std::string_view request);
Bytes count_task(TaskContext& context, std::string_view ranges);
TaskFunction function_of(CallKind kind);

/// Passes on how far an attempt is.
mapreduce::Monitor monitor_of(TaskContext& context);

/// An inspector that works in the pool's processes, so that a plugin that crashes when loaded
/// crashes there. Its functions throw Error(plugin) then, and Error(cancelled) on a stop request.
/// The pool must outlive it.
PluginInspector pool_inspector(ProcessPoolExecutor& pool, const std::stop_token& stop);

}  // namespace muster::jobs
