#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/ids.hpp>
#include <muster/executors/task_context.hpp>
#include <muster/jobs/plan.hpp>
#include <muster/mapreduce/attempt.hpp>
#include <muster/mapreduce/part_file.hpp>
#include <muster/scheduling/job_spec.hpp>

namespace muster::jobs {

/// Where a job keeps its files while it runs.
struct Workspace {
  /// Run files. Empty: their names alone; they lie where they were made, and can get lost.
  std::filesystem::path runs;
  std::filesystem::path parts;  ///< parts of the result
  bool lasting = false;         ///< those are for an output directory; otherwise for a stream, soon
};

/// What the stages of a job hand to each other and, at the end, to whoever ran it.
struct JobData {
  std::vector<std::vector<std::uint64_t>> lines_before;  ///< by chunk and range
  std::vector<std::filesystem::path> runs;               ///< by chunk
  std::vector<std::uint64_t> partition_records;          ///< written by all maps
  std::uint64_t run_bytes = 0;
  std::uint64_t records_mapped = 0;
  std::vector<mapreduce::PartTotals> parts;       ///< by part
  std::vector<std::filesystem::path> part_files;  ///< by part
};

/// What a chunk runs; see task_functions.hpp.
enum class CallKind : std::uint8_t { count, map, reduce };

/// One stage of a job: what its chunks run, and what becomes of their results.
/// Not thread-safe; used by the thread that runs the job.
class Stage {
 public:
  struct Call {
    CallKind kind;
    Bytes argument;
  };

  Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  virtual ~Stage() = default;

  virtual std::string_view name() const = 0;
  virtual std::uint32_t chunk_count() const = 0;
  virtual std::uint64_t chunk_bytes(std::uint32_t chunk) const = 0;
  /// For messages: "map chunk 3 of 14 ('a.txt' bytes 0 to 4096)".
  virtual std::string describe(std::uint32_t chunk) const = 0;
  /// For messages: where in the chunk a position is; empty if the stage cannot say.
  virtual std::string place(std::uint32_t chunk, std::uint64_t position) const = 0;
  /// `attempt` becomes part of the names of its files: no other attempt of the job has it.
  virtual Call call(std::uint32_t chunk, std::string_view attempt) const = 0;
  /// Takes the result of the one attempt that was granted the commit; again if what the chunk had
  /// left was lost and it was run anew. Throws Error.
  virtual void accept(std::uint32_t chunk, std::string_view attempt, std::string_view result) = 0;
};

/// Stages of the plan in order, each writing into `data`. All references must outlive them.
std::vector<std::unique_ptr<Stage>> make_stages(const Plan& plan, const Workspace& workspace,
                                                JobData& data);

}  // namespace muster::jobs
