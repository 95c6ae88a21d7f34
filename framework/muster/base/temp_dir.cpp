#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>

namespace muster {
namespace {

constexpr std::string_view prefix = "muster-";
constexpr std::size_t named_bytes = prefix.size() + 6;  // what mkdtemp makes of XXXXXX
constexpr const char* lock_name = "lock";

// A directory without a lock file may be one that its owner is just making: it is left alone.
bool is_leftover(const std::filesystem::path& directory) {
  struct stat info {};
  if (::lstat(directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) ||
      info.st_uid != ::geteuid()) {
    return false;
  }
  const UniqueFd lock(::open((directory / lock_name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0;
}

void remove_leftovers(const std::filesystem::path& parent) {
  std::error_code error;
  for (std::filesystem::directory_iterator each(parent, error), end; !error && each != end;
       each.increment(error)) {
    const std::string name = each->path().filename().string();
    const bool made_here = name.starts_with(prefix) && name.size() == named_bytes;
    if (!made_here || !is_leftover(each->path())) continue;
    // Only tidying up after somebody else: a failure here is not this owner's.
    std::error_code ignored;
    std::filesystem::remove_all(each->path(), ignored);
  }
}

}  // namespace

TempDir::TempDir(const std::filesystem::path& parent) {
  remove_leftovers(parent);
  std::string name = (parent / (std::string(prefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    const Error cause =
        system_error(errno, "cannot make a temporary directory in '" + parent.string() + "'");
    const bool full = cause.code() == ErrorCode::no_space;
    throw Error(full ? cause.code() : ErrorCode::usage, cause.what(),
                "name a writable directory with --tmp DIR (of workers: --scratch), or with TMPDIR");
  }
  path_ = name;
  try {
    lock();
  } catch (const Error&) {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
    throw;
  }
}

// The lock file gets its name only when it is locked: nobody can find it free in between.
void TempDir::lock() {
  const std::filesystem::path unnamed = path_ / "lock.new";
  lock_ = open_file(unnamed, O_RDWR | O_CREAT, 0600);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 ||
      ::rename(unnamed.c_str(), (path_ / lock_name).c_str()) != 0) {
    throw system_error(errno, "cannot lock '" + path_.string() + "'");
  }
}

TempDir::~TempDir() {
  // The lock is what makes this object the owner: a moved-from one has none.
  if (!lock_) return;
  std::error_code ignored;  // a destructor cannot report; the next owner sweeps what stayed
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path default_temp_parent() {
  const char* named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/tmp";
}

}  // namespace muster
