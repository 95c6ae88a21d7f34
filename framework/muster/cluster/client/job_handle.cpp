#include <muster/cluster/client/followed_job.hpp>
#include <muster/cluster/client/job_handle.hpp>

namespace muster {

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
