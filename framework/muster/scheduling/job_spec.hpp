#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <muster/scheduling/failure_cause.hpp>

namespace muster::scheduling {

/// What a stage waits for. Only the stage right before it counts.
enum class Edge : std::uint8_t {
  none,     ///< nothing: it starts with the job
  each,     ///< its chunk n waits for chunk n of the stage before; both have as many chunks
  barrier,  ///< it waits for the whole stage before
};

/// How many attempts of one chunk may end for a cause before the job fails with it; at least 1.
/// Each cause is counted by itself, so a chunk is run at most 1 + the sum of (budget - 1) times.
struct RetryBudgets {
  std::uint32_t task_error = 1;
  std::uint32_t crashed = 3;
  std::uint32_t killed = 16;
  std::uint32_t worker_lost = 4;
  std::uint32_t out_of_memory = 2;
  std::uint32_t no_space = 1;
  std::uint32_t input_changed = 1;
  std::uint32_t input_lost = 16;

  std::uint32_t of(FailureCause cause) const;
};

struct StageSpec {
  std::uint32_t chunk_count = 0;  ///< 0 is allowed: the stage finishes as soon as it may start
  Edge edge = Edge::none;         ///< must be none for the first stage
  RetryBudgets budgets = {};
  /// Its chunks give the same however often they run, so that one which takes long may be run a
  /// second time elsewhere: the first result counts.
  bool speculate = false;
  /// What its chunks give stays on the worker that ran them, for the next stage, which waits for
  /// the whole of this one. It is gone with the worker: then the chunk has to be run again.
  bool keeps_output = false;
  /// Its chunks are independent of each other: one that fails or is cancelled ends alone, and more
  /// of them come (ChunksAdded) until the stream is sealed. It must be the only stage of its job.
  bool stream = false;
};

/// A chain of stages, in order. One without stages succeeds as soon as it is submitted.
using JobSpec = std::vector<StageSpec>;

/// How a job stands to the others. Of those with the highest priority, slots go to the one that has
/// the fewest running attempts for its weight, so that jobs of a priority share in proportion.
struct JobRank {
  std::int32_t priority = 0;  ///< higher goes first, always
  std::uint32_t weight = 1;   ///< 0 counts as 1

  friend bool operator==(const JobRank&, const JobRank&) = default;
};

inline constexpr std::uint32_t stages_max = 1000;
inline constexpr std::uint32_t chunks_max = 1U << 24U;  ///< in a whole job: about 20 MB of state

/// Why a job was not taken.
enum class Rejection : std::uint8_t {
  duplicate_job,     ///< a job of that id was submitted before
  too_many_stages,   ///< more than stages_max
  too_many_chunks,   ///< more than chunks_max
  first_stage_edge,  ///< the first stage has nothing to wait for
  unequal_counts,    ///< an `each` edge between stages of different sizes
  empty_budget,      ///< a retry budget of 0 attempts
  kept_for_none,     ///< a stage that keeps its output, without a barrier behind it
  stream_and_more,   ///< a stream beside other stages
};

std::string_view to_string(Rejection rejection) noexcept;

/// What is wrong with a spec, if anything: what Scheduler checks, for shells that want to answer
/// before they write to their journal.
std::optional<Rejection> validate(const JobSpec& spec);

/// One chunk within its job.
struct ChunkRef {
  std::uint32_t stage = 0;
  std::uint32_t chunk = 0;

  friend auto operator<=>(const ChunkRef&, const ChunkRef&) = default;
};

}  // namespace muster::scheduling
