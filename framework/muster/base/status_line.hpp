#pragma once

#include <cstddef>
#include <cstdio>
#include <string_view>

#include <muster/base/clock.hpp>

namespace muster {

/// The last line of a stream for people, which changes while work goes on: on a terminal it is
/// redrawn in place, elsewhere (a file, a pipe, TERM=dumb or not set) each text is a line of its
/// own. It uses no colours, so NO_COLOR has nothing to switch off.
///
/// Used by one thread. The stream is not owned and must outlive it. What cannot be written is lost
/// without an error: it is only for people. Destroyed, it ends a line that stands unfinished.
class StatusLine {
 public:
  /// How often a text is worth showing.
  static constexpr Duration redraw_interval = std::chrono::milliseconds(100);
  static constexpr Duration plain_interval = std::chrono::seconds(10);

  explicit StatusLine(std::FILE* stream);
  ~StatusLine();
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  /// True on a terminal.
  bool redraws() const noexcept { return redraws_; }
  /// How many columns a text may have so that it stays on its line, asked anew each time since
  /// windows change; 0 if this is no terminal: any number.
  std::size_t width() const noexcept;

  /// True if the interval is over since the last text was shown; on a terminal also if none stands
  /// there.
  bool due(TimePoint now) const noexcept;
  /// Shows the text, on a terminal in the place of the one before.
  void show(std::string_view text, TimePoint now);
  /// Shows the text as the last one, which stays.
  void finish(std::string_view text);
  /// Writes a line above; the text that stood there is gone until the next show().
  void line(std::string_view text);
  /// Takes the text away.
  void clear();

 private:
  void write(std::string_view text) noexcept;

  std::FILE* stream_;
  bool redraws_;
  bool drawn_ = false;  // the cursor stands behind a text that will be redrawn
  TimePoint shown_{};
};

}  // namespace muster
