#include <algorithm>
#include <system_error>

#include <muster/cluster/worker/job_files.hpp>

namespace muster::cluster {
namespace fs = std::filesystem;

void JobFiles::keep_only(const wire::LiveJobs& live) {
  // Again, if somebody has written there once more.
  std::erase_if(removals_, [](const auto& each) { return each.second.done(); });
  std::error_code gone;
  fs::directory_iterator entry(path(), gone);
  for (; !gone && entry != fs::directory_iterator(); entry.increment(gone)) {
    const std::string name = entry->path().filename().string();
    const bool is_live = std::any_of(live.jobs.begin(), live.jobs.end(), [&](std::uint64_t job) {
      return name == std::to_string(job);
    });
    std::error_code unknown;
    const bool is_of_a_job = entry->is_directory(unknown);
    if (is_live || !is_of_a_job || removals_.contains(name)) continue;
    removals_.emplace(name, remover_.submit([directory = entry->path()] {
      std::error_code in_use;  // whoever still writes there is being stopped; all goes at the end
      fs::remove_all(directory, in_use);
    }));
  }
}

}  // namespace muster::cluster
