#include <algorithm>
#include <exception>
#include <string_view>
#include <system_error>

#include <muster/cluster/worker/job_files.hpp>

namespace muster::cluster {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view ended_prefix = "ended-";

}  // namespace

void JobFiles::keep_only(const wire::LiveJobs& live) {
  std::exception_ptr failed;
  std::erase_if(removals_, [&](const auto& each) {
    if (!each.second.done()) return false;
    if (const auto error = each.second.exception()) failed = error;
    return true;
  });
  std::error_code gone;
  fs::directory_iterator entry(path(), gone);
  for (; !gone && entry != fs::directory_iterator(); entry.increment(gone)) {
    const std::string name = entry->path().filename().string();
    const bool is_live = std::any_of(live.jobs.begin(), live.jobs.end(), [&](std::uint64_t job) {
      return name == std::to_string(job);
    });
    std::error_code unknown;
    const bool is_of_a_job = entry->is_directory(unknown);
    if (!is_live && is_of_a_job) take_away(entry->path());
  }
  if (failed) std::rethrow_exception(failed);
}

void JobFiles::take_away(const fs::path& ended) {
  fs::path aside = ended;
  if (!ended.filename().string().starts_with(ended_prefix)) {
    aside = path() / (std::string(ended_prefix) + std::to_string(++taken_away_));
    std::error_code in_the_way;
    fs::rename(ended, aside, in_the_way);
    if (in_the_way) return;  // the next time
  }
  if (removals_.contains(aside.filename())) return;
  removals_.emplace(aside.filename(), remover_.submit([aside] {
    std::error_code in_use;  // whoever still writes there is being stopped; all goes at the end
    fs::remove_all(aside, in_use);
  }));
}

}  // namespace muster::cluster
