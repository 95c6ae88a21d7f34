#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/suggest.hpp>
#include <muster/mapreduce/input_files.hpp>
#include <muster/mapreduce/output_directory.hpp>

namespace muster::mapreduce {
namespace fs = std::filesystem;
namespace {

Error missing(const std::string& name) {
  const fs::path path = name;
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::vector<std::string> there;
  std::error_code error;
  for (fs::directory_iterator each(parent, error), end; !error && each != end;
       each.increment(error)) {
    there.push_back(each->path().filename().string());
  }
  std::sort(there.begin(), there.end());
  const auto near = closest(path.filename().string(), there);
  std::string hint;
  if (near) {
    const fs::path meant = path.has_parent_path() ? parent / *near : fs::path(*near);
    hint = fmt::format("did you mean '{}'?", meant.string());
  }
  return Error(ErrorCode::usage, fmt::format("input '{}' not found", name), hint);
}

class Expansion {
 public:
  Expansion(const std::function<const fs::path&()>& spool_directory,
            const std::function<void()>& check_stop, const fs::path& output)
      : spool_directory_(spool_directory), check_stop_(check_stop), output_(output) {}

  void add(const std::string& name) {
    if (name == "-") {
      spool(STDIN_FILENO, name);
      return;
    }
    check_stop_();
    struct stat info {};
    if (::stat(name.c_str(), &info) == 0) {
      add_existing(name, info);
    } else if (errno != ENOENT && errno != ENOTDIR) {
      throw unreadable(name, errno);
    } else if (name.find_first_of("*?[") != std::string::npos) {
      add_pattern(name);
    } else {
      throw missing(name);
    }
  }

  std::vector<InputFile> take() { return std::move(files_); }

 private:
  static Error unreadable(const std::string& name, int errnum) {
    return Error(ErrorCode::usage, fmt::format("input '{}' cannot be read: {}", name,
                                               std::generic_category().message(errnum)));
  }

  // A name that was read from a directory: it means that file and nothing else, whatever it looks
  // like, and even if it has gone since.
  void add_found(const std::string& name) {
    check_stop_();
    struct stat info {};
    if (::stat(name.c_str(), &info) != 0) throw unreadable(name, errno);
    add_existing(name, info);
  }

  void add_existing(const std::string& name, const struct stat& info) {
    if (S_ISDIR(info.st_mode)) {
      add_directory(name);
      return;
    }
    if (S_ISSOCK(info.st_mode) || S_ISBLK(info.st_mode)) {
      throw Error(ErrorCode::usage,
                  fmt::format("input '{}' is neither a file, a directory nor a pipe", name));
    }
    // Without O_NONBLOCK, a named pipe would hold us here until somebody writes to it.
    const UniqueFd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) throw unreadable(name, errno);
    if (has_its_size(fd.get(), info)) {
      files_.push_back({fs::absolute(name), name, static_cast<std::uint64_t>(info.st_size)});
    } else {
      spool(fd.get(), name);
    }
  }

  // Files that the kernel makes up as they are read have no blocks, and any size: those of /proc 0,
  // those of /sys a page. Whether that is what they hold, only reading tells.
  static bool has_its_size(int fd, const struct stat& info) {
    if (!S_ISREG(info.st_mode)) return false;
    if (info.st_blocks != 0 && info.st_size != 0) return true;
    char byte = 0;
    if (info.st_size == 0) return ::pread(fd, &byte, 1, 0) <= 0;
    return ::pread(fd, &byte, 1, info.st_size - 1) == 1;
  }

  // Sorted by path as a whole, as `find | sort` has it.
  void add_directory(const std::string& name) {
    std::vector<std::string> found;
    collect(name, found);
    std::sort(found.begin(), found.end());
    for (const std::string& each : found) add_found(each);
  }

  void collect(const fs::path& directory, std::vector<std::string>& found) const {
    std::error_code error;
    for (fs::directory_iterator each(directory, error), end; !error && each != end;
         each.increment(error)) {
      check_stop_();
      if (each->is_symlink()) continue;
      if (each->is_directory() && !is_of_jobs(each->path())) collect(each->path(), found);
      if (each->is_regular_file()) found.push_back(each->path().string());
    }
    if (error) throw unreadable(directory.string(), error.value());
  }

  // Directories below one that is input, and no input: copies of what is input already, what this
  // job is to replace, and what a job is about to write.
  bool is_of_jobs(const fs::path& path) const {
    std::error_code error;
    return (!spool_.empty() && fs::equivalent(path, spool_, error)) ||
           (!output_.empty() && fs::equivalent(path, output_, error)) ||
           fs::exists(path / staging_marker_name, error);
  }

  void add_pattern(const std::string& pattern) {
    glob_t matches{};
    const int status = ::glob(pattern.c_str(), 0, nullptr, &matches);
    std::vector<std::string> found;
    if (status == 0) found.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
    ::globfree(&matches);
    if (found.empty()) {
      throw Error(ErrorCode::usage, fmt::format("no input matches '{}'", pattern));
    }
    for (const std::string& each : found) add_found(each);
  }

  void spool(int from, const std::string& name) {
    spool_ = spool_directory_();
    const fs::path path = spool_ / fmt::format("input-{}", files_.size());
    const UniqueFd to = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    std::vector<char> block(std::size_t{256} << 10U);
    std::uint64_t size = 0;
    for (;;) {
      wait_for_input(from);
      const ssize_t got = ::read(from, block.data(), block.size());
      if (got == 0) break;
      if (got < 0) {
        if (errno == EINTR || errno == EAGAIN) continue;
        throw unreadable(name, errno);
      }
      write_all(to.get(), {block.data(), static_cast<std::size_t>(got)}, path);
      size += static_cast<std::uint64_t>(got);
    }
    files_.push_back({path, name, size});
  }

  // A pipe may stay silent for as long as it likes, but whoever waits may not want to any more.
  void wait_for_input(int fd) const {
    constexpr int poll_ms = 100;
    pollfd polled{fd, POLLIN, 0};
    while (::poll(&polled, 1, poll_ms) == 0) check_stop_();
    check_stop_();
  }

  const std::function<const fs::path&()>& spool_directory_;
  const std::function<void()>& check_stop_;
  const fs::path& output_;
  fs::path spool_;  // empty until something was copied
  std::vector<InputFile> files_;
};

}  // namespace

std::vector<InputFile> expand_inputs(const std::vector<std::string>& named,
                                     const std::function<const fs::path&()>& spool_directory,
                                     const std::function<void()>& check_stop,
                                     const fs::path& output) {
  if (named.empty()) {
    throw Error(ErrorCode::usage, "no input given",
                "name files or directories, or - for standard input");
  }
  Expansion expansion(spool_directory, check_stop, output);
  for (const std::string& each : named) expansion.add(each);
  return expansion.take();
}

}  // namespace muster::mapreduce
