#include <utility>

#include <muster/base/forks.hpp>
#include <muster/cluster/client/followed_job.hpp>
#include <muster/cluster/client/job_handle.hpp>

namespace muster {

JobHandle::~JobHandle() {
  if (job_ != nullptr && !job_->is_here()) keep_for_ever(std::move(job_));
}

std::uint64_t JobHandle::id() const noexcept { return job_->number(); }

const std::vector<Future<ChunkReport>>& JobHandle::chunks() const noexcept {
  return job_->chunks();
}

Future<jobs::JobReport> JobHandle::report() const { return job_->report(); }

void JobHandle::read(const std::function<void(std::string_view)>& write) const {
  job_->read(write);
}

void JobHandle::cancel() const { job_->cancel(); }

}  // namespace muster
