#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include <muster/base/units.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/streams.hpp>
#include <muster/cli/views.hpp>

namespace muster::cli {
namespace {

constexpr auto plain_interval = std::chrono::seconds(10);

bool is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

std::string chunk_sizes(const observe::JobPlanned& plan) {
  if (plan.chunks == 0) return "no chunks: the input is empty";
  const std::string count =
      fmt::format("{} chunk{}", format_count(plan.chunks), plan.chunks == 1 ? "" : "s");
  if (plan.chunk_bytes_largest == plan.chunk_bytes_smallest) {
    return fmt::format("{} of {}", count, format_bytes(plan.chunk_bytes_largest));
  }
  return fmt::format("{} of {} to {}", count, format_bytes(plan.chunk_bytes_smallest),
                     format_bytes(plan.chunk_bytes_largest));
}

std::string bar(double done) {
  constexpr int width = 20;
  const int filled = std::clamp(static_cast<int>(done * width), 0, width);
  return std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(width - filled), '.');
}

class TextView final : public JobView {
 public:
  explicit TextView(ViewOptions options) : options_(options), terminal_(is_terminal()) {}

  void planned(const observe::JobPlanned& plan) override {
    if (options_.quiet) return;
    line(fmt::format("plan    {}, {} local process{}, no network ports opened", chunk_sizes(plan),
                     plan.workers, plan.workers == 1 ? "" : "es"));
  }

  void progress(const observe::StageProgress& now) override {
    if (options_.quiet || now.chunks == 0) return;
    const bool done = now.chunks_done == now.chunks;
    const TimePoint time = Clock::now();
    if (!done && !terminal_) {
      if (now.elapsed < plain_interval || time - shown_ < plain_interval) return;
    }
    shown_ = time;
    const double share = now.bytes == 0
                             ? static_cast<double>(now.chunks_done) / now.chunks
                             : static_cast<double>(now.bytes_done) / static_cast<double>(now.bytes);
    const double seconds = std::chrono::duration<double>(now.elapsed).count();
    std::string text =
        fmt::format("{:<7} [{}] {}/{}", now.stage, bar(share), now.chunks_done, now.chunks);
    if (seconds > 0.001 && now.bytes_done != 0) {
      const double rate = static_cast<double>(now.bytes_done) / seconds;
      text += fmt::format("   {}/s", format_bytes(static_cast<std::uint64_t>(rate)));
    }
    if (!done && share >= 0.05) {
      const double left = seconds / share - seconds;
      const auto eta = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(left));
      text += fmt::format("   ETA {}", format_duration(eta));
    }
    if (now.retries != 0) text += fmt::format("   {} retried", now.retries);
    if (terminal_) {
      redraw(text, done);
    } else {
      line(text);
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
        "input       {} in {} files\nprocesses   {}, {} of memory each\n"
        "partitions  {}\nchunks      {}\n",
        format_bytes(summary.input_bytes), format_count(summary.files), plan.workers,
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
    std::string where = output.empty() ? std::string()
                                       : fmt::format("{} ({} file{}, {}), ", output, report.parts,
                                                     report.parts == 1 ? "" : "s",
                                                     format_bytes(report.result_bytes));
    line(fmt::format("done    in {}, {} lines, {}{} retr{}", format_duration(report.elapsed),
                     format_count(report.records), where, report.retries,
                     report.retries == 1 ? "y" : "ies"));
  }

  void failed(const Error& error, int /*exit_code*/) override {
    clear();
    print_error(error);
  }

  void reader_left(int /*exit_code*/) override { clear(); }

 private:
  void print_stages(const jobs::JobReport& report) {
    for (const jobs::StageReport& each : report.stages) {
      line(fmt::format("stage   {}: {} chunks, {}, {}", each.name, each.chunks,
                       format_bytes(each.bytes), format_duration(each.elapsed)));
    }
  }

  void clear() {
    if (drawn_) say("\r\033[K");
    drawn_ = false;
  }

  void line(const std::string& text) {
    clear();
    say(text + "\n");
  }

  void redraw(const std::string& text, bool last) {
    say(fmt::format("\r\033[K{}{}", text, last ? "\n" : ""));
    drawn_ = !last;
  }

  ViewOptions options_;
  bool terminal_;
  bool drawn_ = false;  // the cursor stands behind a line that will be redrawn
  TimePoint shown_{};
};

}  // namespace

std::unique_ptr<JobView> make_text_view(ViewOptions options) {
  return std::make_unique<TextView>(options);
}

}  // namespace muster::cli
