#include <nlohmann/json.hpp>

#include <muster/base/clock.hpp>
#include <muster/base/error.hpp>
#include <muster/base/version.hpp>
#include <muster/dashboard/cluster_json.hpp>

namespace muster::dashboard {
namespace {

using Json = nlohmann::ordered_json;

// Names and messages may hold any bytes; those that are not UTF-8 are replaced.
std::string text_of(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json stage_of(const wire::StageState& stage) {
  return {{"name", stage.name},
          {"chunks", stage.chunks},
          {"chunks_done", stage.chunks_done},
          {"bytes", stage.bytes},
          {"bytes_done", stage.bytes_done},
          {"retries", stage.retries},
          {"elapsed_s", std::chrono::duration<double>(Duration(stage.elapsed_ns)).count()}};
}

Json job_of(const wire::JobState& job) {
  Json out{{"job", job.job},
           {"name", job.name},
           {"task", job.task},
           {"owner", job.owner},
           {"state", to_string(job.phase)},
           {"submitted", job.submitted},
           {"ended", job.ended == 0 ? Json() : Json(job.ended)},
           {"output", job.output.empty() ? Json() : Json(job.output)},
           {"input_bytes", job.input_bytes},
           {"records_mapped", job.records_mapped},
           {"records", job.records},
           {"result_bytes", job.result_bytes},
           {"parts", job.parts},
           {"log_lines", job.log_lines},
           {"stages", Json::array()}};
  for (const wire::StageState& each : job.stages) out["stages"].push_back(stage_of(each));
  if (!job.message.empty()) {
    out["error"] = {{"message", job.message}, {"hint", job.hint}};
    if (job.phase == wire::JobState::Phase::failed && job.code <= static_cast<int>(last_error_code))
      out["error"]["code"] = to_string(static_cast<ErrorCode>(job.code));
  }
  return out;
}

}  // namespace

std::string jobs_json(const std::vector<wire::JobState>& jobs) {
  Json out{{"schema", 1}, {"jobs", Json::array()}};
  for (const wire::JobState& each : jobs) out["jobs"].push_back(job_of(each));
  return text_of(out);
}

std::string job_json(const wire::JobState& job) {
  Json out{{"schema", 1}};
  out.update(job_of(job));
  return text_of(out);
}

std::string log_json(std::uint64_t job, const wire::JobLog& log) {
  return text_of({{"schema", 1}, {"job", job}, {"next", log.next}, {"lines", log.lines}});
}

std::string workers_json(const wire::WorkerRows& rows) {
  Json out{{"schema", 1},
           {"open_calls", rows.open_calls},
           {"open_jobs", rows.open_jobs},
           {"workers", Json::array()}};
  for (const wire::WorkerRow& each : rows.workers) {
    out["workers"].push_back({{"name", each.name},
                              {"state", each.state},
                              {"slots", each.slots},
                              {"attempts", each.attempts},
                              {"host", each.host},
                              {"pid", each.pid},
                              {"version", each.version},
                              {"sandbox", each.sandbox}});
  }
  return text_of(out);
}

std::string numbers_json(const cluster::CoordinatorNumbers& numbers) {
  const auto& workers = numbers.workers;
  return text_of({{"schema", 1},
                  {"version", version_text},
                  {"workers",
                   {{"open", workers.open},
                    {"paused", workers.paused},
                    {"draining", workers.draining},
                    {"cut_off", workers.cut_off},
                    {"lost", workers.lost}}},
                  {"slots", workers.slots},
                  {"attempts", numbers.attempts},
                  {"clients", numbers.clients},
                  {"open_calls", numbers.open_calls},
                  {"open_jobs", numbers.open_jobs},
                  {"open_chunks", numbers.open_chunks},
                  {"calls", numbers.calls.taken},
                  {"jobs_ended",
                   {{"succeeded", numbers.ended_jobs.succeeded},
                    {"failed", numbers.ended_jobs.failed},
                    {"cancelled", numbers.ended_jobs.cancelled}}}});
}

std::string error_json(const std::string& message, const std::string& hint) {
  return text_of({{"schema", 1}, {"error", {{"message", message}, {"hint", hint}}}});
}

std::string done_json() { return text_of({{"schema", 1}, {"done", true}}); }

}  // namespace muster::dashboard
