#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

namespace muster::cluster {

/// The room for everybody on the file system of `place`, in bytes. Throws Error(io).
std::uint64_t free_bytes(const std::filesystem::path& place);

/// Whether a disk that a worker writes to has room. Once it has too little, it has enough again
/// when twice as much is free, so that a worker does not pause and go on all the time. Not
/// thread-safe.
class DiskWatch {
 public:
  DiskWatch(std::filesystem::path place, std::uint64_t least_free)
      : place_(std::move(place)), least_free_(least_free) {}

  /// Looks. Empty: there is room; otherwise what is wrong, for people. A disk that cannot be looked
  /// at has no room.
  std::string look();

 private:
  std::filesystem::path place_;
  std::uint64_t least_free_;
  bool is_full_ = false;
};

}  // namespace muster::cluster
