#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/mapreduce/output_directory.hpp>

namespace muster::mapreduce {
namespace fs = std::filesystem;
namespace {

// Cut, so that a long name leaves room for what is added.
std::string staging_prefix(const fs::path& final_path) {
  return "." + final_path.filename().string().substr(0, 200) + ".muster-";
}

// Absolute, with symbolic links on the way resolved; the last name may be a link itself.
fs::path normalised(const fs::path& given) {
  fs::path path = fs::absolute(given);
  while (!path.has_filename() && path.has_relative_path()) path = path.parent_path();  // "counts/"
  std::error_code error;  // what cannot be resolved is reported when it is used
  const bool is_name = path.filename() != "." && path.filename() != "..";
  const fs::path resolved = fs::weakly_canonical(is_name ? path.parent_path() : path, error) /
                            (is_name ? path.filename() : fs::path());
  if (error) return path;
  return is_name ? resolved : resolved.parent_path();
}

Error rename_error(const fs::path& to) {
  const int errnum = errno;
  if (errnum == EEXIST || errnum == ENOTEMPTY || errnum == ENOTDIR) {
    return Error(ErrorCode::usage,
                 fmt::format("output '{}' has come to exist while the job ran", to.string()),
                 "nothing was overwritten; name another directory, or pass --overwrite");
  }
  return system_error(errnum, fmt::format("cannot rename the output to '{}'", to.string()));
}

// Some file systems (NFS among them) have no renameat2 flags: there a plain rename serves, which
// replaces nothing but an empty directory.
void rename_new(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno != EINVAL || ::rename(from.c_str(), to.c_str()) != 0) throw rename_error(to);
}

// Files of attempts whose result was not taken must not become visible.
std::error_code remove_untaken(const fs::path& directory) {
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with("part-") && name != manifest_name) fs::remove(at->path(), error);
  }
  return error;
}

// Afterwards `to` is the new output and `from` the old one. Without renameat2's exchange there is
// a moment in which `to` does not exist.
void exchange(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL) throw rename_error(to);
  const fs::path aside = from.string() + "-old";
  if (::rename(to.c_str(), aside.c_str()) != 0) throw rename_error(to);
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const Error error = rename_error(to);
    ::rename(aside.c_str(), to.c_str());  // back; if that fails too, the old output is at `aside`
    throw error;
  }
  if (::rename(aside.c_str(), from.c_str()) != 0) throw rename_error(from);
}

}  // namespace

std::string part_name(std::uint32_t part, std::size_t parts) {
  const std::size_t digits = std::to_string(parts - 1).size();
  return fmt::format("part-{:0{}}", part, std::max<std::size_t>(digits, 5));
}

void check_output(const fs::path& final_path, bool overwrite) {
  const fs::path path = normalised(final_path);
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return;
  if (!overwrite) {
    const bool may_be = status.type() == fs::file_type::directory;
    throw Error(ErrorCode::usage, fmt::format("output '{}' already exists", path.string()),
                may_be ? "name another directory, or pass --overwrite to replace it"
                       : "name a directory that does not exist yet");
  }
  const bool replaceable = status.type() == fs::file_type::directory &&
                           (fs::exists(path / manifest_name, error) || fs::is_empty(path, error));
  if (!replaceable) {
    throw Error(ErrorCode::usage,
                fmt::format("refusing to overwrite '{}': it is not an output of Muster's ({} is "
                            "missing)",
                            path.string(), manifest_name),
                "remove it yourself, or name another directory");
  }
}

// They have the marker, and nobody holds their lock.
void remove_leftovers(const fs::path& final_path) {
  const fs::path path = normalised(final_path);
  const std::string prefix = staging_prefix(path);
  std::error_code error;
  for (fs::directory_iterator each(path.parent_path(), error), end; !error && each != end;
       each.increment(error)) {
    if (!each->path().filename().string().starts_with(prefix)) continue;
    const UniqueFd lock(::open(each->path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock || ::faccessat(lock.get(), staging_marker_name, F_OK, 0) != 0) continue;
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
    std::error_code ignored;  // only tidying up after somebody else
    fs::remove_all(each->path(), ignored);
  }
}

OutputDirectory::OutputDirectory(const fs::path& final_path, bool overwrite)
    : final_(normalised(final_path)), overwrite_(overwrite) {
  check_output(final_, overwrite);
  make_staging();
}

OutputDirectory::OutputDirectory(const fs::path& final_path, bool overwrite, fs::path staging)
    : final_(normalised(final_path)), staging_(std::move(staging)), overwrite_(overwrite) {
  lock_ = open_file(staging_, O_RDONLY | O_DIRECTORY);
  lock();
}

void OutputDirectory::lock() const {
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return;
  throw system_error(errno, fmt::format("cannot lock '{}'", staging_.string()));
}

void OutputDirectory::make_staging() {
  std::string name = (final_.parent_path() / (staging_prefix(final_) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    const int errnum = errno;
    const Error cause =
        system_error(errnum, fmt::format("cannot make output '{}'", final_.string()));
    if (cause.code() == ErrorCode::no_space) throw cause;
    throw Error(ErrorCode::usage, cause.what(),
                errnum == ENOENT ? fmt::format("mkdir -p '{}' first", final_.parent_path().string())
                                 : "name a directory that you may write to");
  }
  staging_ = name;
  try {
    lock_ = open_file(staging_, O_RDONLY | O_DIRECTORY);
    lock();
    open_file(staging_ / staging_marker_name, O_WRONLY | O_CREAT);
  } catch (const Error&) {
    std::error_code ignored;
    fs::remove_all(staging_, ignored);
    throw;
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(lock_.get(), 0777U & ~mask);  // mkdtemp's 0700 is not what mkdir gives
}

OutputDirectory::~OutputDirectory() {
  if (committed_ || is_left_) return;
  std::error_code ignored;  // a destructor cannot report; the next job sweeps what stayed
  fs::remove_all(staging_, ignored);
}

void OutputDirectory::adopt(const fs::path& file, std::uint32_t part, std::size_t parts) {
  const fs::path to = staging_ / part_name(part, parts);
  if (::rename(file.c_str(), to.c_str()) == 0) return;
  const int errnum = errno;
  std::error_code error;
  if (errnum == ENOENT && fs::exists(to, error)) return;  // by who had the directory before
  throw system_error(errnum, fmt::format("cannot rename '{}'", file.string()));
}

void OutputDirectory::commit(const std::string& manifest) {
  if (const std::error_code error = remove_untaken(staging_))
    throw system_error(error.value(), fmt::format("cannot tidy up '{}'", staging_.string()));
  write_file_synced(staging_ / manifest_name, manifest);
  sync_directory(staging_);
  if (overwrite_) check_output(final_, true);  // somebody may have put something else there
  const bool replaces = overwrite_ && fs::exists(final_);
  if (replaces) {
    exchange(staging_, final_);
  } else {
    rename_new(staging_, final_);
  }
  committed_ = true;
  // The output is visible: the job has succeeded, whatever becomes of the old one. Its hidden
  // directory is swept by the next job if it cannot be removed now.
  std::error_code ignored;
  if (replaces) fs::remove_all(staging_, ignored);
  // What an attempt that nobody waits for has begun since then: it finds the old path no more.
  ignored = remove_untaken(final_);
  sync_directory(final_.parent_path());
}

}  // namespace muster::mapreduce
