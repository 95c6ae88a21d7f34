#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/launch/cluster_directory.hpp>

namespace muster::launch {
namespace {

namespace fs = std::filesystem;

constexpr const char* spec_file = "cluster.json";
constexpr std::size_t spec_bytes_max = std::size_t{16} << 20U;
constexpr unsigned private_mode = 0700;

void make_private(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory.parent_path(), error);
  if (!error && ::mkdir(directory.c_str(), private_mode) == 0) return;
  throw system_error(error ? error.value() : errno,
                     fmt::format("cannot make '{}'", directory.string()));
}

}  // namespace

ClusterDirectory::ClusterDirectory(const fs::path& parent, const std::string& name)
    : path_(parent / name), name_(name) {
  require_cluster_name(name);
}

void ClusterDirectory::claim(const ClusterSpec& spec) const {
  // Names of clusters do not begin with a dot.
  const fs::path fresh = path_.parent_path() / fmt::format(".{}.{}", name_, spec.token);
  make_private(fresh);
  try {
    make_private(fresh / "logs");
    write_file_synced(fresh / spec_file, to_json(spec));
    // Of directories it replaces empty ones alone, and a cluster's never is.
    if (::rename(fresh.c_str(), path_.c_str()) == 0) return;
    if (errno != EEXIST && errno != ENOTEMPTY)
      throw system_error(errno, fmt::format("cannot make '{}'", path_.string()));
    throw Error(
        ErrorCode::usage, fmt::format("there is a cluster '{}' already", name_),
        fmt::format("'muster cluster down {}' takes it down; or give this one a --name", name_));
  } catch (const Error&) {
    std::error_code ignored;
    fs::remove_all(fresh, ignored);
    throw;
  }
}

void ClusterDirectory::save(const ClusterSpec& spec) const {
  const fs::path fresh = path_ / fmt::format("{}.{}", spec_file, ::getpid());
  write_file_synced(fresh, to_json(spec));
  if (::rename(fresh.c_str(), (path_ / spec_file).c_str()) != 0)
    throw system_error(errno, fmt::format("cannot write '{}'", (path_ / spec_file).string()));
}

ClusterSpec ClusterDirectory::load() const {
  const fs::path file = path_ / spec_file;
  std::error_code error;
  if (!fs::exists(file, error)) {
    const auto known = names(path_.parent_path());
    std::string hint = known.empty() ? "no cluster is up" : "these are up:";
    for (const std::string& each : known) hint += " " + each;
    throw Error(ErrorCode::usage, fmt::format("there is no cluster '{}'", name_), hint);
  }
  return parse_spec(read_file(file, spec_bytes_max), file.string());
}

void ClusterDirectory::remove() const {
  // First the name goes: what is half removed is not taken for a cluster.
  const fs::path gone = path_.parent_path() / fmt::format(".{}.gone.{}", name_, ::getpid());
  if (::rename(path_.c_str(), gone.c_str()) != 0)
    throw system_error(errno, fmt::format("cannot remove '{}'", path_.string()));
  std::error_code error;
  fs::remove_all(gone, error);
  if (error) throw system_error(error.value(), fmt::format("cannot remove '{}'", gone.string()));
}

std::string ClusterDirectory::make_log(const std::string& role) const {
  constexpr unsigned number_max = 1'000'000;
  for (unsigned number = 1; number <= number_max; ++number) {
    const fs::path file = log_of(role, std::to_string(number));
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (fd) return std::to_string(number);
    if (errno != EEXIST) throw system_error(errno, fmt::format("cannot make '{}'", file.string()));
  }
  throw Error(ErrorCode::limit, fmt::format("'{}' is full of logs", logs().string()));
}

fs::path ClusterDirectory::log_of(const std::string& role, const std::string& number) const {
  return logs() / fmt::format("{}-{}.log", role, number);
}

// A lock of POSIX's, since the kernel knows who holds it, and it ends with its holder.
std::optional<UniqueFd> ClusterDirectory::lock_for_keeper() const {
  UniqueFd fd = open_file(keeper_lock(), O_RDWR | O_CREAT);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  if (::fcntl(fd.get(), F_SETLK, &lock) == 0) return fd;
  if (errno == EACCES || errno == EAGAIN) return std::nullopt;
  throw system_error(errno, fmt::format("cannot lock '{}'", keeper_lock().string()));
}

std::optional<pid_t> ClusterDirectory::keeper() const {
  std::error_code none;
  if (!fs::exists(keeper_lock(), none)) return std::nullopt;
  const UniqueFd fd = open_file(keeper_lock(), O_RDWR);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  if (::fcntl(fd.get(), F_GETLK, &lock) != 0)
    throw system_error(errno, fmt::format("cannot lock '{}'", keeper_lock().string()));
  if (lock.l_type == F_UNLCK) return std::nullopt;
  return lock.l_pid;
}

std::vector<std::string> ClusterDirectory::names(const fs::path& parent) {
  std::vector<std::string> out;
  std::error_code none;
  for (fs::directory_iterator each(parent, none), end; !none && each != end; each.increment(none)) {
    const std::string name = each->path().filename().string();
    if (name.front() != '.' && fs::exists(each->path() / spec_file)) out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string tail_of(const fs::path& log) {
  constexpr std::size_t shown_max = 600;
  std::error_code none;
  if (!fs::exists(log, none)) return {};
  constexpr std::size_t log_bytes_max = std::size_t{64} << 20U;
  std::string text = read_file(log, log_bytes_max);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.size() <= shown_max) return text;
  return "... " + text.substr(text.size() - shown_max);
}

}  // namespace muster::launch
