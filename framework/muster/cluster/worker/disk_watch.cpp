#include <cerrno>

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <muster/base/error.hpp>
#include <muster/base/units.hpp>
#include <muster/cluster/worker/disk_watch.hpp>

namespace muster::cluster {

std::uint64_t free_bytes(const std::filesystem::path& place) {
  struct statvfs info {};
  if (::statvfs(place.c_str(), &info) != 0)
    throw system_error(errno, fmt::format("cannot look at the disk of '{}'", place.string()));
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

std::string DiskWatch::look() {
  try {
    const std::uint64_t free = free_bytes(place_);
    is_full_ = free < (is_full_ ? 2 * least_free_ : least_free_);
    if (!is_full_) return {};
    return fmt::format("the disk of '{}' is full: {} are free, of which {} are kept",
                       place_.string(), format_bytes(free), format_bytes(least_free_));
  } catch (const Error& error) {
    is_full_ = true;
    return error.what();
  }
}

}  // namespace muster::cluster
