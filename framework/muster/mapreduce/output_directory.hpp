#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <muster/base/file.hpp>
#include <muster/mapreduce/part_file.hpp>

namespace muster::mapreduce {

inline constexpr const char* manifest_name = "_MANIFEST.json";

/// A file in the hidden directory of an output, from when that is locked until it is committed.
inline constexpr const char* staging_marker_name = ".muster-staging";

/// Throws Error(usage) if a job may not write to `final_path`: it exists and `overwrite` is false,
/// or it is true and what is there is not an earlier output (a directory that is empty or has a
/// manifest).
void check_output(const std::filesystem::path& final_path, bool overwrite);

/// Removes the hidden directories of this output's jobs that were killed; what is in use stays. It
/// may be called while others work on the same output, and reports nothing: it only tidies up. For
/// each job to call; it takes as long as the file system does.
void remove_leftovers(const std::filesystem::path& final_path);

/// The output of a job, visible under its name only as a whole.
///
/// Parts are written into a hidden directory beside the final one, on the same file system.
/// commit() fsyncs it and renames it; until then, whatever happens, the final name is untouched,
/// and the destructor removes the hidden directory. What a killed job left behind is removed by
/// remove_leftovers(). Not thread-safe.
class OutputDirectory {
 public:
  /// Throws as check_output(), and Error(usage or no_space) if the hidden directory cannot be
  /// made.
  OutputDirectory(const std::filesystem::path& final_path, bool overwrite);
  /// Goes on with a hidden directory that was made earlier, by a process that was killed. Throws
  /// Error(io) if it is not there, or somebody else has it.
  OutputDirectory(const std::filesystem::path& final_path, bool overwrite,
                  std::filesystem::path staging);
  ~OutputDirectory();
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;

  /// Where attempts write.
  const std::filesystem::path& staging() const noexcept { return staging_; }
  const std::filesystem::path& final_path() const noexcept { return final_; }

  /// Gives an attempt's file its final name, as part `part` of `parts`.
  void adopt(const std::filesystem::path& file, std::uint32_t part, std::size_t parts);

  /// The hidden directory stays, for another one of these to go on with.
  void leave() noexcept { is_left_ = true; }

  /// Writes the manifest and makes the output visible. Throws Error(io or no_space, or usage if
  /// the final name has come to exist meanwhile); then nothing has become visible, save for one
  /// case: if the parent directory cannot be synced, the output is there, but a power cut may
  /// still undo its name.
  void commit(const std::string& manifest);

 private:
  void make_staging();
  void lock() const;

  std::filesystem::path final_;
  std::filesystem::path staging_;
  UniqueFd lock_;
  bool overwrite_;
  bool committed_ = false;
  bool is_left_ = false;
};

/// "part-00003": five digits, more if there are more than 100,000 parts, so that the names of one
/// output sort as its parts do.
std::string part_name(std::uint32_t part, std::size_t parts);

}  // namespace muster::mapreduce
