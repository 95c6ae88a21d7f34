#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include <muster/base/progress_text.hpp>
#include <muster/base/units.hpp>
#include <muster/patterns/progress_bar.hpp>

namespace muster {
namespace {

constexpr double shown_max = 1e18;  // fits the integer that it is shown as

std::string rate_text(double per_second, bool bytes) {
  const double whole = std::min(std::round(per_second), shown_max);
  if (bytes) return format_bytes(static_cast<std::uint64_t>(whole)) + "/s";
  if (per_second >= 9.95) return format_count(static_cast<std::uint64_t>(whole)) + "/s";
  if (per_second >= 1.0) return fmt::format("{:.1f}/s", per_second);
  if (per_second * 60.0 >= 1.0) return fmt::format("{:.1f}/min", per_second * 60.0);
  return fmt::format("{:.1f}/h", per_second * 3600.0);
}

}  // namespace

std::string render_progress(const Progress& progress, const ProgressBarOptions& options,
                            std::size_t width) {
  ProgressText text;
  text.label = options.label;
  text.fraction = progress.fraction;
  text.counts = format_count(progress.done) + "/" + format_count(progress.total);
  if (options.bytes && progress.weight_total != 0) {
    text.counts +=
        "  " + format_bytes(progress.weight_done) + "/" + format_bytes(progress.weight_total);
  }
  if (progress.per_second > 0.0) text.rate = rate_text(progress.per_second, options.bytes);
  text.eta = progress.eta;
  if (progress.ended) text.notes.push_back("in " + format_duration(progress.elapsed));
  if (progress.failed != 0) text.notes.push_back(format_count(progress.failed) + " failed");
  if (progress.cancelled != 0) {
    text.notes.push_back(format_count(progress.cancelled) + " cancelled");
  }
  return format_progress(text, width);
}

ProgressBar::ProgressBar(ProgressBarOptions options)
    : options_(std::move(options)), line_(options_.stream) {}

void ProgressBar::operator()(const Progress& progress) {
  if (options_.quiet) return;
  const TimePoint now(progress.elapsed);  // counted from the loop's start
  if (!progress.ended && !line_.due(now)) return;
  const std::string text = render_progress(progress, options_, line_.width());
  if (progress.ended) {
    line_.finish(text);
  } else {
    line_.show(text, now);
  }
}

}  // namespace muster
