#pragma once

#include <filesystem>

#include <muster/base/file.hpp>

namespace muster {

/// A private directory (mode 0700) below `parent`, removed with all it holds on destruction.
///
/// It is locked while its owner lives, so that what a killed owner left behind can be told from
/// what is in use: the constructor first removes such leftovers of the same user in `parent`.
/// Move-only; not thread-safe. The constructor throws Error(usage, or no_space) that names the
/// place.
class TempDir {
 public:
  explicit TempDir(const std::filesystem::path& parent);
  TempDir(TempDir&&) noexcept = default;
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  void lock();

  std::filesystem::path path_;
  UniqueFd lock_;
};

/// $TMPDIR, or /tmp.
std::filesystem::path default_temp_parent();

}  // namespace muster
