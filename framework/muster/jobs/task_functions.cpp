#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/executors/errors.hpp>
#include <muster/jobs/task_functions.hpp>
#include <muster/plugin/loader.hpp>

namespace muster::jobs {
namespace {

Bytes describe_task(TaskContext& /*context*/, std::string_view path) {
  return encode(plugin::LoadedPlugin::load(path).info());
}

// The request of a chunk without input, so that the settings travel as they will for real.
Bytes check_settings_task(TaskContext& /*context*/, std::string_view bytes) {
  const mapreduce::MapRequest request = mapreduce::decode_map_request(bytes);
  const muster_task& task = plugin::LoadedPlugin::load(request.task.plugin).task(request.task.task);
  const plugin::TaskInstance instance(task, request.task.settings);
  return {};
}

Bytes run_once(ProcessPoolExecutor& pool, const std::stop_token& stop, TaskFunction function,
               const Bytes& argument) {
  constexpr auto poll = std::chrono::milliseconds(50);  // how late a stop request may be seen
  const Future<Bytes> future = pool.submit_raw(function, argument);
  while (!future.wait(poll)) {
    if (!stop.stop_requested()) continue;
    future.cancel();
    pool.await_killed();
    throw Error(ErrorCode::cancelled, "cancelled");
  }
  return future.result();
}

Bytes run_in_pool(ProcessPoolExecutor& pool, const std::stop_token& stop, TaskFunction function,
                  const Bytes& argument, const std::filesystem::path& path) {
  constexpr unsigned kills_max = 16;  // by others; as many as a chunk survives
  for (unsigned kills = 1;; ++kills) {
    try {
      return run_once(pool, stop, function, argument);
    } catch (const WorkerDiedError& error) {
      if (!error.death().own_doing() && kills <= kills_max) continue;
      throw Error(ErrorCode::plugin, fmt::format("plugin '{}' ended the process that loaded it: {}",
                                                 path.string(), error.what()));
    } catch (const RemoteFacts& facts) {
      throw RemoteError(facts);  // an Error, whatever was thrown
    }
  }
}

}  // namespace

mapreduce::Monitor monitor_of(TaskContext& context) {
  return {context.position(), [&context](std::uint64_t bytes) { context.add_progress(bytes); }};
}

Bytes map_task(TaskContext& context, std::string_view request) {
  return encode(run_map(mapreduce::decode_map_request(request), monitor_of(context)));
}

Bytes reduce_task(TaskContext& context, std::string_view request) {
  return encode(run_reduce(mapreduce::decode_reduce_request(request), monitor_of(context)));
}

Bytes count_task(TaskContext& context, std::string_view ranges) {
  ByteReader in(ranges, "a count request");
  Bytes counts;
  const mapreduce::Monitor monitor = monitor_of(context);
  for (const mapreduce::InputRange& each : mapreduce::decode_input_ranges(in)) {
    ByteWriter(counts).varint(mapreduce::count_lines(each, monitor.add_progress));
  }
  return counts;
}

TaskFunction function_of(CallKind kind) {
  switch (kind) {
    case CallKind::count:
      return &count_task;
    case CallKind::map:
      return &map_task;
    case CallKind::reduce:
      break;
  }
  return &reduce_task;
}

PluginInspector pool_inspector(ProcessPoolExecutor& pool, const std::stop_token& stop) {
  PluginInspector out;
  out.describe = [&pool, stop](const std::filesystem::path& path) {
    return plugin::decode_plugin_info(run_in_pool(pool, stop, &describe_task, path.native(), path));
  };
  out.check_settings = [&pool, stop](const mapreduce::TaskRef& task) {
    mapreduce::MapRequest request;
    request.task = task;
    run_in_pool(pool, stop, &check_settings_task, encode(request), task.plugin);
  };
  out.check_stop = [stop] {
    if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
  };
  return out;
}

}  // namespace muster::jobs
