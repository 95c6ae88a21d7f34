#include <utility>

#include <muster/base/error.hpp>
#include <muster/cluster/client/job_outcome.hpp>

namespace muster::cluster {

void require_success(const wire::JobState& state) {
  using Phase = wire::JobState::Phase;
  if (state.phase == Phase::cancelled) {
    throw Error(ErrorCode::cancelled,
                state.message.empty() ? "cancelled" : "cancelled: " + state.message);
  }
  if (state.phase == Phase::failed)
    throw Error(static_cast<ErrorCode>(state.code), state.message, state.hint);
}

jobs::JobReport report_of(const wire::JobState& state) {
  jobs::JobReport out;
  for (const wire::StageState& each : state.stages) {
    jobs::StageReport stage;
    stage.name = each.name;
    stage.chunks = each.chunks_done;
    stage.bytes = each.bytes_done;
    stage.elapsed = Duration(each.elapsed_ns);
    out.stages.push_back(std::move(stage));
    out.retries += each.retries;
  }
  out.input_bytes = state.input_bytes;
  out.records_mapped = state.records_mapped;
  out.records = state.records;
  out.result_bytes = state.result_bytes;
  out.parts = state.parts;
  return out;
}

jobs::JobData data_of(const wire::JobState& state) {
  jobs::JobData out;
  for (const wire::JobPart& each : state.part_files) {
    out.part_files.emplace_back(each.file);
    out.parts.push_back({each.records, each.bytes, each.checksum});
  }
  return out;
}

}  // namespace muster::cluster
