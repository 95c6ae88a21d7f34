#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace muster {

/// Owns one file descriptor. Move-only.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// Opens a file with O_CLOEXEC; throws Error(io) that names the path.
UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode = 0666);

/// Reads up to `size` bytes at `offset`, going on after short reads and EINTR; fewer only at the
/// end of the file. Throws Error(io) that names the path.
std::size_t read_at(int fd, char* out, std::size_t size, std::uint64_t offset,
                    const std::filesystem::path& path);

/// Writes everything, going on after short writes and EINTR. Throws Error(io or no_space) that
/// names the path.
void write_all(int fd, std::string_view bytes, const std::filesystem::path& path);

/// fsync, by name: throws Error(io or no_space).
void sync_file(int fd, const std::filesystem::path& path);
void sync_directory(const std::filesystem::path& path);

/// Reads a small file whole; throws Error(limit) above `size_max` bytes.
std::string read_file(const std::filesystem::path& path, std::size_t size_max = 16U << 20U);

/// Writes a file whole and fsyncs it. For files inside a directory that is committed by rename.
void write_file_synced(const std::filesystem::path& path, std::string_view bytes);

/// As many files as the system lets this process have open (RLIMIT_NOFILE): the usual limit is for
/// programs that use select(). Inherited by what it starts.
void raise_open_files_limit() noexcept;

/// How many files this process may have open at a time (RLIMIT_NOFILE), and how many it has open.
struct OpenFiles {
  std::uint64_t limit = 0;
  std::uint64_t open = 0;
};
/// Throws Error(io) where /proc is not mounted.
OpenFiles count_open_files();

}  // namespace muster
