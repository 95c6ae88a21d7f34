#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/mapreduce/block_reader.hpp>
#include <muster/mapreduce/part_file.hpp>
#include <muster/plugin/plugin_info.hpp>

namespace muster::mapreduce {

/// A task of a plugin with its settings resolved: what every attempt of a stage runs.
struct TaskRef {
  std::filesystem::path plugin;
  std::string task;
  std::vector<plugin::Setting> settings;
};

struct MapRequest {
  TaskRef task;
  std::vector<InputRange> ranges;
  std::uint32_t partitions = 1;
  std::uint64_t memory_bytes = 0;
  std::filesystem::path output;  ///< the run file; for a map-only task its part, as text
  bool lasting = false;          ///< the part goes into an output directory: fsync it
};

struct MapResult {
  std::uint64_t records_in = 0;                  ///< emitted by the task
  std::vector<std::uint64_t> partition_records;  ///< written, by partition; empty if map-only
  std::uint64_t run_bytes = 0;
  PartTotals part;  ///< of a map-only task
};

struct ReduceRequest {
  TaskRef task;
  std::uint32_t partition = 0;
  std::uint64_t memory_bytes = 0;
  std::vector<std::filesystem::path> runs;  ///< in chunk order
  std::filesystem::path output;
  PartFormat format = PartFormat::text;
  bool lasting = false;  ///< as above
};

struct ReduceResult {
  std::uint64_t records_in = 0;
  PartTotals part;
};

Bytes encode(const MapRequest& request);
Bytes encode(const MapResult& result);
Bytes encode(const ReduceRequest& request);
Bytes encode(const ReduceResult& result);
MapRequest decode_map_request(std::string_view bytes);  ///< these throw Error(corrupt)
MapResult decode_map_result(std::string_view bytes);
ReduceRequest decode_reduce_request(std::string_view bytes);
ReduceResult decode_reduce_result(std::string_view bytes);

/// Where an attempt says how far it is.
struct Monitor {
  std::atomic<std::uint64_t>& position;             ///< of the record at work, in the chunk
  std::function<void(std::uint64_t)> add_progress;  ///< bytes of input done
};

/// Where a reduce attempt gets its partition from, a block at a time.
class PartitionSource {
 public:
  PartitionSource() = default;
  PartitionSource(const PartitionSource&) = delete;
  PartitionSource& operator=(const PartitionSource&) = delete;
  virtual ~PartitionSource() = default;
  /// Valid until the next call; nothing at the end. Throws Error.
  virtual std::optional<std::string_view> next() = 0;
  /// Of the files that have been begun.
  virtual std::uint64_t records() const = 0;
};

/// Runs one attempt in this process, a task process: loads the plugin, and runs the task over the
/// chunk or partition. An attempt that throws may leave an unfinished file behind.
/// Throws Error: what the task reported (with the place in the input), io, no_space, corrupt.
MapResult run_map(const MapRequest& request, const Monitor& monitor);
ReduceResult run_reduce(const ReduceRequest& request, const Monitor& monitor);
/// The same, of what `source` gives; the request's runs are not looked at.
ReduceResult run_reduce(const ReduceRequest& request, const Monitor& monitor,
                        PartitionSource& source);

}  // namespace muster::mapreduce
