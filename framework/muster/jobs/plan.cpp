#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <muster/base/error.hpp>
#include <muster/base/memory.hpp>
#include <muster/jobs/plan.hpp>
#include <muster/plugin/store.hpp>

namespace muster::jobs {
namespace {

std::uint32_t choose_partitions(const JobSpec& spec, std::uint64_t input_bytes, unsigned workers) {
  if (spec.partitions) {
    if (*spec.partitions == 0 || *spec.partitions > partitions_max) {
      throw Error(ErrorCode::usage,
                  fmt::format("--partitions {} is out of range", *spec.partitions),
                  fmt::format("give 1 to {}", partitions_max));
    }
    return *spec.partitions;
  }
  // Below this one reducer is done before a second process has started.
  constexpr std::uint64_t small_bytes = std::uint64_t{4} << 20U;
  constexpr std::uint64_t partition_bytes = std::uint64_t{64} << 20U;
  if (input_bytes <= small_bytes) return 1;
  const std::uint64_t wanted = std::max<std::uint64_t>(workers, input_bytes / partition_bytes);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, 1024));
}

std::uint64_t choose_memory(const JobSpec& spec, unsigned workers) {
  if (spec.memory_bytes) {
    constexpr std::uint64_t smallest = std::uint64_t{1} << 20U;
    if (*spec.memory_bytes >= smallest) return *spec.memory_bytes;
    throw Error(ErrorCode::usage, fmt::format("--memory {} is too little", *spec.memory_bytes),
                "give 1M at least");
  }
  constexpr std::uint64_t least = std::uint64_t{64} << 20U;
  constexpr std::uint64_t most = std::uint64_t{2} << 30U;
  return std::clamp(usable_memory() / 2 / workers, least, most);
}

// "plugin" alone stands for the task of that name, or for the plugin's only one.
const plugin::TaskInfo& pick_task(const plugin::PluginInfo& info, const plugin::TaskName& name) {
  if (name.task.empty() && info.tasks.size() == 1) return info.tasks.front();
  const std::string& wanted = name.task.empty() ? info.name : name.task;
  if (const plugin::TaskInfo* found = info.find(wanted)) return *found;
  std::vector<std::string> names;
  for (const plugin::TaskInfo& each : info.tasks) names.push_back(each.name);
  throw Error(ErrorCode::usage, fmt::format("plugin '{}' has no task '{}'", info.name, wanted),
              fmt::format("its tasks are: {}", fmt::join(names, ", ")));
}

// Asks every plugin whether it has the task. One that cannot be loaded hides no other.
ResolvedTask search_task(const std::string& task, const std::vector<std::filesystem::path>& files,
                         const std::vector<std::filesystem::path>& directories,
                         const PluginInspector& inspector) {
  std::vector<ResolvedTask> found;
  std::vector<std::string> names;
  std::vector<std::string> choices;
  for (const std::filesystem::path& file : files) {
    names.push_back(file.stem().string());
    const std::filesystem::path path = std::filesystem::absolute(file);
    std::optional<plugin::PluginInfo> info;
    try {
      info = inspector.describe(path);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::plugin && error.code() != ErrorCode::usage) throw;
      continue;
    }
    for (const plugin::TaskInfo& each : info->tasks) names.push_back(each.name);
    if (const plugin::TaskInfo* has = info->find(task)) {
      found.push_back({path, *info, *has});
      choices.push_back(fmt::format("{}:{}", file.stem().string(), task));
    }
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    throw plugin::unknown_name(fmt::format("no plugin provides a task '{}'", task), task, names,
                               directories);
  }
  throw Error(ErrorCode::usage, fmt::format("several plugins provide a task '{}'", task),
              fmt::format("choose one of: {}", fmt::join(choices, ", ")));
}

}  // namespace

ResolvedTask resolve_task(const std::string& name,
                          const std::vector<std::filesystem::path>& plugin_directories,
                          const PluginInspector& inspector) {
  const plugin::TaskName parsed = plugin::parse_task_name(name);
  const auto directories = plugin::plugin_directories(plugin_directories);
  if (!parsed.is_file() && parsed.task.empty()) {
    const auto files = plugin::plugin_files(directories);
    const bool named = std::any_of(files.begin(), files.end(),
                                   [&](const auto& each) { return each.stem() == parsed.plugin; });
    if (!named) return search_task(parsed.plugin, files, directories, inspector);
  }
  ResolvedTask out;
  out.plugin = plugin::find_plugin(parsed, directories);
  out.info = inspector.describe(out.plugin);
  out.task = pick_task(out.info, parsed);
  return out;
}

Plan make_plan(const JobSpec& spec, unsigned workers, const PluginInspector& inspector,
               const std::function<const std::filesystem::path&()>& spool_directory) {
  Plan plan;
  plan.workers = workers;
  plan.memory_bytes = choose_memory(spec, plan.workers);
  const ResolvedTask resolved = resolve_task(spec.task, spec.plugin_directories, inspector);
  plan.info = resolved.task;
  plan.plugin_name = resolved.info.name;
  plan.plugin_version = resolved.info.version;
  plan.task = {resolved.plugin, plan.info.name, plugin::resolve_settings(plan.info, spec.settings)};
  inspector.check_settings(plan.task);
  plan.files = mapreduce::expand_inputs(spec.inputs, spool_directory, inspector.check_stop,
                                        spec.output.value_or(""));
  for (const mapreduce::InputFile& each : plan.files) plan.input_bytes += each.size;
  plan.partitions = choose_partitions(spec, plan.input_bytes, plan.workers);
  plan.chunks = mapreduce::cut_into_chunks(plan.files, {plan.workers, spec.chunk_bytes});
  inspector.check_stop();  // a dry run has nothing after this that would ask
  return plan;
}

observe::JobPlanned describe(const Plan& plan) {
  observe::JobPlanned out;
  out.task = plan.info.name;
  out.plugin = plan.task.plugin.string();
  out.files = plan.files.size();
  out.input_bytes = plan.input_bytes;
  out.chunks = plan.chunks.size();
  for (const mapreduce::Chunk& each : plan.chunks) {
    const std::uint64_t bytes = bytes_of(each);
    out.chunk_bytes_largest = std::max(out.chunk_bytes_largest, bytes);
    out.chunk_bytes_smallest =
        out.chunk_bytes_smallest == 0 ? bytes : std::min(out.chunk_bytes_smallest, bytes);
  }
  out.partitions = plan.map_only() ? 0 : plan.partitions;
  out.workers = plan.workers;
  return out;
}

std::vector<mapreduce::InputRange> input_ranges(const Plan& plan, const mapreduce::Chunk& chunk) {
  std::vector<mapreduce::InputRange> out;
  for (const mapreduce::Range& each : chunk) {
    const mapreduce::InputFile& file = plan.files[each.file];
    out.push_back({file.path, file.name, each.offset, each.length, file.size, 0});
  }
  return out;
}

}  // namespace muster::jobs
