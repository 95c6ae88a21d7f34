#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <muster/plugin/plugin_info.hpp>

namespace muster::jobs {

/// What a user asks for: one map-reduce or map-only job over files.
struct JobSpec {
  std::string task = {};                 ///< "wordcount", "plugin:task" or "path/plugin.so:task"
  std::vector<std::string> inputs = {};  ///< see mapreduce::expand_inputs
  std::vector<plugin::Setting> settings = {};        ///< the task's parameters that are set
  std::optional<std::filesystem::path> output = {};  ///< none: the result goes to a stream
  bool overwrite = false;  ///< an existing output directory is replaced, not refused
  std::optional<std::uint32_t> partitions = {};   ///< none: from the size of the input
  std::optional<std::uint64_t> chunk_bytes = {};  ///< none: guided sizes
  /// For each process; none: a share of the machine's.
  std::optional<std::uint64_t> memory_bytes = {};
  std::filesystem::path temp_parent = {};  ///< where the job's temporary directory is made
  std::vector<std::filesystem::path> plugin_directories = {};  ///< looked in before the usual ones
};

}  // namespace muster::jobs
