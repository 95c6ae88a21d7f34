#pragma once

#include <cstdint>
#include <filesystem>

#include <muster/jobs/plan_codec.hpp>
#include <muster/wire/jobs.hpp>

namespace muster::test {

/// What a client submits for a job of "count": so many map chunks of ten bytes each, no output
/// directory. Number, ticket and plugin are left to whoever submits it.
inline wire::SubmitJob count_job(std::uint32_t map_chunks, std::uint32_t partitions,
                                 const std::filesystem::path& parts) {
  jobs::Plan plan;
  plan.task = {"/plugins/count.so", "count", {}};
  plan.info.name = "count";
  plan.info.kind = plugin::TaskKind::map_reduce;
  plan.plugin_name = "count";
  plan.files.push_back({"/in", "in", 10 * map_chunks});
  for (std::uint32_t i = 0; i < map_chunks; ++i) plan.chunks.push_back({{0, 10 * i, 10}});
  plan.input_bytes = 10 * map_chunks;
  plan.partitions = partitions;
  wire::SubmitJob out;
  out.name = "count";
  out.plan = jobs::encode(plan);
  out.parts = parts;
  return out;
}

}  // namespace muster::test
