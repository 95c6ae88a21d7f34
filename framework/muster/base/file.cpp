#include <cerrno>
#include <iterator>
#include <system_error>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>

namespace muster {
namespace {

std::string quoted(const char* verb, const std::filesystem::path& path) {
  return std::string(verb) + " '" + path.string() + "'";
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void UniqueFd::reset() noexcept {
  // A failed close has still closed the descriptor on Linux; writers call sync_file before.
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode) {
  for (;;) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return UniqueFd(fd);
    if (errno != EINTR) throw system_error(errno, quoted("cannot open", path));
  }
}

std::size_t read_at(int fd, char* out, std::size_t size, std::uint64_t offset,
                    const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd, out + done, size - done, static_cast<off_t>(offset + done));
    if (got == 0) break;
    if (got < 0) {
      if (errno == EINTR) continue;
      throw system_error(errno, quoted("cannot read", path));
    }
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void write_all(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      throw system_error(errno, quoted("cannot write", path));
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

void sync_file(int fd, const std::filesystem::path& path) {
  if (::fsync(fd) != 0) throw system_error(errno, quoted("cannot sync", path));
}

void sync_directory(const std::filesystem::path& path) {
  const UniqueFd fd = open_file(path, O_RDONLY | O_DIRECTORY);
  sync_file(fd.get(), path);
}

std::string read_file(const std::filesystem::path& path, std::size_t size_max) {
  const UniqueFd fd = open_file(path, O_RDONLY);
  std::string out;
  for (;;) {
    char block[16384];
    const std::size_t got = read_at(fd.get(), block, sizeof block, out.size(), path);
    out.append(block, got);
    if (out.size() > size_max) {
      throw Error(ErrorCode::limit,
                  quoted("file", path) + " is larger than " + std::to_string(size_max) + " bytes");
    }
    if (got < sizeof block) return out;
  }
}

void write_file_synced(const std::filesystem::path& path, std::string_view bytes) {
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  write_all(fd.get(), bytes, path);
  sync_file(fd.get(), path);
}

void raise_open_files_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);  // if it stays, what needs more says so
}

OpenFiles count_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throw system_error(errno, "getrlimit");
  std::error_code failed;
  const std::filesystem::directory_iterator files("/proc/self/fd", failed);
  if (failed) throw system_error(failed.value(), "cannot read /proc/self/fd");
  return {limit.rlim_cur, static_cast<std::uint64_t>(std::distance(begin(files), end(files)))};
}

}  // namespace muster
