#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <muster/jobs/job_spec.hpp>
#include <muster/mapreduce/attempt.hpp>
#include <muster/mapreduce/chunks.hpp>
#include <muster/mapreduce/input_files.hpp>
#include <muster/observe/job_events.hpp>
#include <muster/plugin/plugin_info.hpp>

namespace muster::jobs {

inline constexpr std::uint32_t partitions_max = 65536;

/// A spec made definite: everything that attempts need, and nothing left to be chosen.
struct Plan {
  mapreduce::TaskRef task;
  plugin::TaskInfo info;
  std::string plugin_name;
  std::string plugin_version;
  std::vector<mapreduce::InputFile> files;
  std::vector<mapreduce::Chunk> chunks;
  std::uint64_t input_bytes = 0;
  std::uint32_t partitions = 1;    ///< of the reduce stage; a map-only job has none
  unsigned workers = 1;            ///< task processes
  std::uint64_t memory_bytes = 0;  ///< for each of them

  bool map_only() const noexcept { return info.kind == plugin::TaskKind::map; }
};

/// What planning needs from outside. Describing a plugin and checking that its task accepts the
/// settings run plugin code, so both happen in a task process.
struct PluginInspector {
  std::function<plugin::PluginInfo(const std::filesystem::path&)> describe;
  std::function<void(const mapreduce::TaskRef&)> check_settings;
  std::function<void()> check_stop = [] {};  ///< throws Error(cancelled) if the plan is not wanted
};

/// `workers` is how many task processes there are, at least 1: chunks and memory are shared out
/// among so many. Throws Error(usage) for whatever in the spec does not fit, Error(plugin) for a
/// bad plugin, Error(io or no_space) if standard input cannot be copied to `spool_directory()`.
Plan make_plan(const JobSpec& spec, unsigned workers, const PluginInspector& inspector,
               const std::function<const std::filesystem::path&()>& spool_directory);

observe::JobPlanned describe(const Plan& plan);

/// The chunk's ranges as an attempt needs them. `lines_before` is left 0.
std::vector<mapreduce::InputRange> input_ranges(const Plan& plan, const mapreduce::Chunk& chunk);

/// The file and task that a task name stands for. A name alone is that of a plugin or, if there is
/// none of that name, of a task: then all plugins are asked. Throws Error(usage).
struct ResolvedTask {
  std::filesystem::path plugin;
  plugin::PluginInfo info;
  plugin::TaskInfo task;
};
ResolvedTask resolve_task(const std::string& name,
                          const std::vector<std::filesystem::path>& plugin_directories,
                          const PluginInspector& inspector);

}  // namespace muster::jobs
