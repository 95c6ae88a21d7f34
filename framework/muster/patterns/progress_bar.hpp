#pragma once

#include <cstddef>
#include <cstdio>
#include <string>

#include <muster/base/status_line.hpp>
#include <muster/patterns/progress.hpp>

namespace muster {

/// What a progress bar shows, and where.
struct ProgressBarOptions {
  std::string label = {};      ///< what the work is, in a word or two
  bool bytes = false;          ///< the weights are bytes, to be shown as such
  bool quiet = false;          ///< show nothing
  std::FILE* stream = stderr;  ///< not owned; must outlive the bar
};

/// The line of a progress bar, in at most `width` columns (0: any number), such as
/// "resize  [##########----------]  512/1,024  1,234/s  eta 0:12  2 failed". The last one says the
/// time it took instead of the time left.
std::string render_progress(const Progress& progress, const ProgressBarOptions& options,
                            std::size_t width);

/// A progress bar for track(): `track(futures, std::ref(bar))`. On a terminal it is one line,
/// redrawn at most every 100 ms and cut to the window; elsewhere (a file, a pipe, TERM=dumb) a
/// plain line every 10 s. The last line stays either way, with the time it took. No colours.
///
/// Used by one thread at a time, for one loop after the other. It never throws for what cannot be
/// written. Other output to the terminal meanwhile ends up behind the bar's line.
class ProgressBar {
 public:
  /// Shows nothing yet.
  explicit ProgressBar(ProgressBarOptions options = {});

  /// Shows it, unless it is too early for another line. The one that has `ended` is always shown.
  void operator()(const Progress& progress);

 private:
  ProgressBarOptions options_;
  StatusLine line_;
};

}  // namespace muster
