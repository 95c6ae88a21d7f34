#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/cli/streams.hpp>

namespace muster::cli {

void open_missing_streams() {
  // Ascending, since open() takes the lowest free number. Opened the wrong way round, the first
  // two give an error to whoever uses them.
  const int flags[] = {O_WRONLY, O_RDONLY, O_RDWR};
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (::open("/dev/null", flags[fd]) != fd) throw system_error(errno, "cannot open '/dev/null'");
  }
}

void say(std::string_view text) noexcept {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
}

void log_line(std::string_view program, std::string_view line) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char time[sizeof("23:59:59")];
  std::strftime(time, sizeof(time), "%H:%M:%S", &local);
  say(fmt::format("{} {}: {}\n", time, program, line));
}

void write_result(std::string_view bytes, const std::function<void()>& check_stop) {
  // A pipe that is ready takes this much without blocking (POSIX's PIPE_BUF).
  constexpr std::size_t ready_bytes = 4096;
  constexpr int poll_ms = 100;
  struct stat info {};
  const bool may_block = ::fstat(STDOUT_FILENO, &info) == 0 && !S_ISREG(info.st_mode);
  check_stop();
  while (!bytes.empty()) {
    pollfd polled{STDOUT_FILENO, POLLOUT, 0};
    while (may_block && ::poll(&polled, 1, poll_ms) == 0) check_stop();
    const std::size_t size = may_block ? std::min(bytes.size(), ready_bytes) : bytes.size();
    const ssize_t put = ::write(STDOUT_FILENO, bytes.data(), size);
    if (put < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      if (errno == EPIPE) throw ReaderGone{};
      throw system_error(errno, "cannot write to standard output");
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

void flush_stdout() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw system_error(errno == 0 ? EIO : errno, "cannot write to standard output");
  }
}

}  // namespace muster::cli
