#include <nlohmann/json.hpp>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/views.hpp>

namespace muster::cli {
namespace {

using Json = nlohmann::ordered_json;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

class JsonView final : public JobView {
 public:
  JsonView(int fd, bool quiet) : fd_(fd), quiet_(quiet) {}

  void planned(const observe::JobPlanned& plan) override { tell(planned_event(plan)); }

  std::string explain(const jobs::Plan& plan) const override {
    Json planned = planned_event(describe(plan));
    planned["memory_bytes"] = plan.memory_bytes;
    planned["settings"] = Json::object();
    for (const plugin::Setting& each : plan.task.settings) {
      planned["settings"][each.name] = each.value;
    }
    std::string out = line(planned);
    for (std::size_t i = 0; i < plan.chunks.size(); ++i) {
      Json ranges = Json::array();
      for (const mapreduce::Range& each : plan.chunks[i]) {
        ranges.push_back({{"file", plan.files[each.file].name},
                          {"offset", each.offset},
                          {"bytes", each.length}});
      }
      out += line({{"schema", 1}, {"event", "chunk"}, {"chunk", i}, {"ranges", ranges}});
    }
    return out +
           line({{"schema", 1}, {"event", "summary"}, {"outcome", "planned"}, {"exit_code", 0}});
  }

  void progress(const observe::StageProgress& now) override {
    tell({{"schema", 1},
          {"event", "progress"},
          {"stage", now.stage},
          {"chunks_done", now.chunks_done},
          {"chunks", now.chunks},
          {"bytes_done", now.bytes_done},
          {"bytes", now.bytes},
          {"retries", now.retries},
          {"elapsed_s", seconds(now.elapsed)}});
  }

  void attempt_failed(const observe::AttemptFailed& failure) override {
    tell({{"schema", 1},
          {"event", "attempt_failed"},
          {"stage", failure.stage},
          {"chunk", failure.chunk},
          {"attempt", failure.attempt},
          {"cause", failure.cause},
          {"message", failure.message}});
  }

  void waits_for_workers(const std::string& coordinator) override {
    tell({{"schema", 1}, {"event", "waits_for_workers"}, {"coordinator", coordinator}});
  }

  void succeeded(const jobs::JobReport& report, const std::string& output) override {
    Json stages = Json::array();
    Json retries = Json::object();
    for (const jobs::StageReport& each : report.stages) {
      stages.push_back({{"name", each.name},
                        {"chunks", each.chunks},
                        {"bytes", each.bytes},
                        {"elapsed_s", seconds(each.elapsed)}});
      add_retries(each, retries);
    }
    Json summary = {{"schema", 1},
                    {"event", "summary"},
                    {"outcome", "succeeded"},
                    {"exit_code", 0},
                    {"elapsed_s", seconds(report.elapsed)},
                    {"input_bytes", report.input_bytes},
                    {"records_mapped", report.records_mapped},
                    {"records", report.records},
                    {"result_bytes", report.result_bytes},
                    {"parts", report.parts},
                    {"retries", report.retries},
                    {"retries_by_cause", retries},
                    {"stages", stages}};
    if (!output.empty()) summary["output"] = output;
    emit(summary);
  }

  void failed(const Error& error, int exit_code) override {
    emit(
        {{"schema", 1},
         {"event", "summary"},
         {"outcome", error.code() == ErrorCode::cancelled ? "cancelled" : "failed"},
         {"exit_code", exit_code},
         {"error",
          {{"code", to_string(error.code())}, {"message", error.what()}, {"hint", error.hint()}}}});
    // On standard error the summary has said it, and it is to be the last line.
    if (fd_ != STDERR_FILENO) print_error(error);
  }

  void reader_left(int exit_code) override {
    // Where the events go to the same reader, it has left them as well.
    if (fd_ == STDOUT_FILENO) return;
    failed(Error(ErrorCode::cancelled, "the reader of standard output has left"), exit_code);
  }

 private:
  static Json planned_event(const observe::JobPlanned& plan) {
    Json out{{"schema", 1},
             {"event", "planned"},
             {"task", plan.task},
             {"plugin", plan.plugin},
             {"files", plan.files},
             {"input_bytes", plan.input_bytes},
             {"chunks", plan.chunks},
             {"chunk_bytes_smallest", plan.chunk_bytes_smallest},
             {"chunk_bytes_largest", plan.chunk_bytes_largest},
             {"partitions", plan.partitions},
             {"workers", plan.workers}};
    if (!plan.coordinator.empty()) out["coordinator"] = plan.coordinator;
    return out;
  }

  // Names and messages may hold any bytes; those that are not UTF-8 are replaced.
  static std::string line(const Json& event) {
    return event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }

  static void add_retries(const jobs::StageReport& stage, Json& retries) {
    for (std::size_t i = 0; i < scheduling::failure_cause_count; ++i) {
      const auto cause = static_cast<scheduling::FailureCause>(i);
      if (stage.retries[cause] == 0) continue;
      const std::string name(to_string(cause));
      retries[name] = retries.value(name, std::uint64_t{0}) + stage.retries[cause];
    }
  }

  // On the way; what ends a run is emitted in any case.
  void tell(const Json& event) {
    if (!quiet_) emit(event);
  }

  void emit(const Json& event) {
    if (broken_) return;
    try {
      write_all(fd_, line(event), fd_ == 1 ? "standard output" : "standard error");
    } catch (const Error& error) {
      // Whoever read the events has gone; the job itself goes on.
      broken_ = true;
      print_error(error);
    }
  }

  int fd_;
  bool quiet_;
  bool broken_ = false;
};

}  // namespace

std::unique_ptr<JobView> make_json_view(int fd, bool quiet) {
  return std::make_unique<JsonView>(fd, quiet);
}

}  // namespace muster::cli
