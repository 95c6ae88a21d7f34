#include <algorithm>
#include <cstdio>
#include <string_view>

#include <fmt/format.h>

#include <muster/base/progress_text.hpp>
#include <muster/base/status_line.hpp>
#include <muster/base/units.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/views.hpp>

namespace muster::cli {
namespace {

// "1 file", "2,000 files"
std::string counted(std::uint64_t count, std::string_view thing) {
  return fmt::format("{} {}{}", format_count(count), thing, count == 1 ? "" : "s");
}

std::string chunk_sizes(const observe::JobPlanned& plan) {
  if (plan.chunks == 0) return "no chunks: the input is empty";
  const std::string count = counted(plan.chunks, "chunk");
  if (plan.chunk_bytes_largest == plan.chunk_bytes_smallest) {
    return fmt::format("{} of {}", count, format_bytes(plan.chunk_bytes_largest));
  }
  return fmt::format("{} of {} to {}", count, format_bytes(plan.chunk_bytes_smallest),
                     format_bytes(plan.chunk_bytes_largest));
}

ProgressText describe_progress(std::string_view label, const observe::StageProgress& now) {
  ProgressText out;
  out.label = label;
  out.fraction = now.bytes == 0
                     ? static_cast<double>(now.chunks_done) / now.chunks
                     : static_cast<double>(now.bytes_done) / static_cast<double>(now.bytes);
  out.counts = fmt::format("{}/{}", now.chunks_done, now.chunks);
  const double seconds = std::chrono::duration<double>(now.elapsed).count();
  if (seconds > 0.001 && now.bytes_done != 0) {
    const double rate = static_cast<double>(now.bytes_done) / seconds;
    out.rate = format_bytes(static_cast<std::uint64_t>(rate)) + "/s";
  }
  if (now.chunks_done != now.chunks && out.fraction >= 0.05) {
    const std::chrono::duration<double> left(seconds / out.fraction - seconds);
    out.eta = std::chrono::duration_cast<Duration>(left);
  }
  if (now.retries != 0) out.notes.push_back(fmt::format("{} retried", now.retries));
  return out;
}

class TextView final : public JobView {
 public:
  explicit TextView(ViewOptions options) : options_(options) {}

  void planned(const observe::JobPlanned& plan) override {
    if (options_.quiet) return;
    if (plan.coordinator.empty()) {
      line(fmt::format("plan    {}, {} local process{}, no network ports opened", chunk_sizes(plan),
                       plan.workers, plan.workers == 1 ? "" : "es"));
    } else {
      line(fmt::format("plan    {}, for {} slot{} of the cluster at {}", chunk_sizes(plan),
                       plan.workers, plan.workers == 1 ? "" : "s", plan.coordinator));
    }
  }

  void waits_for_workers(const std::string& coordinator) override {
    if (options_.quiet) return;
    line(
        fmt::format("waits   no worker of {0} takes anything: start 'muster-worker --coordinator "
                    "{0}', or look with 'muster doctor'",
                    coordinator));
  }

  void progress(const observe::StageProgress& now) override {
    if (options_.quiet || now.chunks == 0) return;
    const bool done = now.chunks_done == now.chunks;
    const TimePoint time = Clock::now();
    if (!done) {
      if (!status_.due(time)) return;
      if (!status_.redraws() && now.elapsed < StatusLine::plain_interval) return;
    }
    const std::string label = fmt::format("{:<6}", now.stage);  // the bars stand below each other
    const std::string text = format_progress(describe_progress(label, now), status_.width());
    if (done) {
      status_.finish(text);
    } else {
      status_.show(text, time);
    }
  }

  void attempt_failed(const observe::AttemptFailed& failure) override {
    if (options_.quiet) return;
    // One line unless asked for more: a death's message carries the last lines of its stderr.
    const std::string_view message = failure.message;
    line(fmt::format("failed  {} chunk {}, attempt {}, {}: {}", failure.stage, failure.chunk + 1,
                     failure.attempt, failure.cause,
                     options_.verbose ? message : message.substr(0, message.find('\n'))));
  }

  std::string explain(const jobs::Plan& plan) const override {
    constexpr std::size_t chunks_shown = 20;
    const observe::JobPlanned summary = describe(plan);
    std::string out = fmt::format("task        {} of plugin {} {} ({})\n", plan.info.name,
                                  plan.plugin_name, plan.plugin_version, plan.task.plugin.string());
    for (const plugin::Setting& each : plan.task.settings) {
      out += fmt::format("setting     {}={}\n", each.name, each.value);
    }
    out += fmt::format(
        "input       {} in {}\nprocesses   {}, {} of memory each\n"
        "partitions  {}\nchunks      {}\n",
        format_bytes(summary.input_bytes), counted(summary.files, "file"), plan.workers,
        format_bytes(plan.memory_bytes), summary.partitions, plan.chunks.size());
    for (std::size_t i = 0; i < std::min(plan.chunks.size(), chunks_shown); ++i) {
      const mapreduce::Chunk& chunk = plan.chunks[i];
      const mapreduce::Range& first = chunk.front();
      out += fmt::format("  {:>4}  {:>10}  '{}' from byte {}{}\n", i + 1,
                         format_bytes(bytes_of(chunk)), plan.files[first.file].name, first.offset,
                         chunk.size() > 1 ? fmt::format(" and {} more", chunk.size() - 1) : "");
    }
    if (plan.chunks.size() > chunks_shown) {
      out += fmt::format("  ... and {} more\n", plan.chunks.size() - chunks_shown);
    }
    return out;
  }

  void succeeded(const jobs::JobReport& report, const std::string& output) override {
    if (options_.quiet) return;
    if (options_.verbose) print_stages(report);
    std::string where = output.empty()
                            ? std::string()
                            : fmt::format("{} ({}, {}), ", output, counted(report.parts, "file"),
                                          format_bytes(report.result_bytes));
    line(fmt::format("done    in {}, {}, {}{} retr{}", format_duration(report.elapsed),
                     counted(report.records, "line"), where, report.retries,
                     report.retries == 1 ? "y" : "ies"));
  }

  void failed(const Error& error, int /*exit_code*/) override {
    status_.clear();
    print_error(error);
  }

  void reader_left(int /*exit_code*/) override { status_.clear(); }

 private:
  void print_stages(const jobs::JobReport& report) {
    for (const jobs::StageReport& each : report.stages) {
      line(fmt::format("stage   {}: {}, {}, {}", each.name, counted(each.chunks, "chunk"),
                       format_bytes(each.bytes), format_duration(each.elapsed)));
    }
  }

  void line(const std::string& text) { status_.line(text); }

  ViewOptions options_;
  StatusLine status_{stderr};
};

}  // namespace

std::unique_ptr<JobView> make_text_view(ViewOptions options) {
  return std::make_unique<TextView>(options);
}

}  // namespace muster::cli
