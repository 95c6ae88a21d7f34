#include <cstdlib>
#include <string>

#include <sys/ioctl.h>
#include <unistd.h>

#include <muster/base/status_line.hpp>

namespace muster {
namespace {

constexpr std::string_view erase_rest = "\033[K";

bool can_redraw(std::FILE* stream) {
  const int fd = ::fileno(stream);
  const char* term = std::getenv("TERM");
  return fd >= 0 && ::isatty(fd) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

StatusLine::StatusLine(std::FILE* stream) : stream_(stream), redraws_(can_redraw(stream)) {}

StatusLine::~StatusLine() {
  if (drawn_) write("\n");
}

std::size_t StatusLine::width() const noexcept {
  if (!redraws_) return 0;
  constexpr std::size_t usual = 80;
  winsize size{};
  const bool known = ::ioctl(::fileno(stream_), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  // In the last column, some terminals go on to the next line.
  return (known ? size.ws_col : usual) - 1;
}

bool StatusLine::due(TimePoint now) const noexcept {
  if (redraws_ && !drawn_) return true;
  return now - shown_ >= (redraws_ ? redraw_interval : plain_interval);
}

void StatusLine::show(std::string_view text, TimePoint now) {
  shown_ = now;
  if (!redraws_) return write(std::string(text) + "\n");
  write("\r" + std::string(text).append(erase_rest));
  drawn_ = true;
}

void StatusLine::finish(std::string_view text) {
  clear();
  write(std::string(text) + "\n");
  shown_ = {};
}

void StatusLine::line(std::string_view text) {
  clear();
  write(std::string(text) + "\n");
}

void StatusLine::clear() {
  if (drawn_) write("\r" + std::string(erase_rest));
  drawn_ = false;
}

void StatusLine::write(std::string_view text) noexcept {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stream_));
  static_cast<void>(std::fflush(stream_));
}

}  // namespace muster
