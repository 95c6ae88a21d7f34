#pragma once

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
  /// calls this has a lease to keep. A job that has ended does not begin again. Throws Error if
  /// there can be no thread; then the next call does it.
  void keep_only(const wire::LiveJobs& live);

 private:
  TempDir directory_;
  std::map<std::string, Future<void>> removals_;  ///< by directory
  ThreadPoolExecutor remover_{{.max_workers = 1, .thread_name_prefix = "job-files"}};
};

}  // namespace muster::cluster
