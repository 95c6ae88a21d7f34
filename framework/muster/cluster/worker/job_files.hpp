#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include <muster/base/temp_dir.hpp>
#include <muster/executors/thread_pool.hpp>
#include <muster/wire/jobs.hpp>

namespace muster::cluster {

/// The files that jobs have on a worker: a directory for each, named by its number. All are removed
/// with this. Not thread-safe; others may read and write below path() meanwhile.
class JobFiles {
 public:
  /// Throws as TempDir does.
  explicit JobFiles(const std::filesystem::path& parent) : directory_(parent) {}

  const std::filesystem::path& path() const noexcept { return directory_.path(); }

  /// Has the files of all other jobs removed, by another thread: file systems may be slow, and who
  /// calls this has a lease to keep. They are out of the way at once, so that a job may be new that
  /// has the number of an old one. Throws Error if the removals before could not be done; then it
  /// tries again.
  void keep_only(const wire::LiveJobs& live);

 private:
  void take_away(const std::filesystem::path& ended);

  TempDir directory_;
  std::uint64_t taken_away_ = 0;
  std::map<std::string, Future<void>> removals_;  ///< by what the directory is called meanwhile
  ThreadPoolExecutor remover_{{.max_workers = 1, .thread_name_prefix = "job-files"}};
};

}  // namespace muster::cluster
