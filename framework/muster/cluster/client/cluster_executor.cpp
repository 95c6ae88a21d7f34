#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <muster/base/error.hpp>
#include <muster/base/forks.hpp>
#include <muster/cluster/client/cluster_core.hpp>
#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/cluster/client/job_followers.hpp>
#include <muster/cluster/client/owning_dialer.hpp>
#include <muster/cluster/security/key_files.hpp>

namespace muster {
namespace {

ClusterOptions checked(ClusterOptions options) {
  constexpr std::uint64_t fits_into_a_message = std::uint64_t{15} << 20U;
  if (!is_initialized()) {
    throw Error(ErrorCode::usage,
                "a ClusterExecutor was made before muster::init() was called: workers start this "
                "program, too, and it must come no further than there",
                "call muster::init() at the top of main");
  }
  if (options.call_bytes_max > fits_into_a_message)
    throw Error(ErrorCode::usage, "ClusterOptions: call_bytes_max is more than 15 MiB");
  if (options.name.empty())
    options.name = std::filesystem::read_symlink("/proc/self/exe").filename().string();
  constexpr std::size_t name_bytes_max = wire::name_bytes_max;
  if (options.name.size() > name_bytes_max) options.name.resize(name_bytes_max);
  return options;
}

}  // namespace

ClusterExecutor::ClusterExecutor(const std::string& address, ClusterOptions options) {
  options = checked(std::move(options));
  std::optional<transport::DialerKeys> keys;
  if (!options.keys.empty()) keys = cluster::read_dialer_keys(options.keys, "client");
  jobs_ = std::make_shared<cluster::JobFollowers>(
      address, cluster::JobClientOptions{options.name, options.keys, options.connect_within,
                                         options.give_up_after});
  core_ = std::make_shared<cluster::ClusterCore>(
      std::make_unique<cluster::OwningDialer>(address, std::move(keys)), std::move(options),
      cluster::OwnProgram());
  core_->start();
}

ClusterExecutor::~ClusterExecutor() {
  if (core_->is_here()) {
    shutdown(true, false);
    return;
  }
  keep_for_ever(std::move(core_));
  keep_for_ever(std::move(jobs_));
}

JobHandle ClusterExecutor::run(const jobs::JobSpec& spec, const JobOptions& options) {
  core_->refuse_if_forked();
  return JobHandle(jobs_->run(spec, options));
}

void ClusterExecutor::execute(detail::TaskPtr task) { core_->execute(std::move(task)); }

void ClusterExecutor::shutdown(bool wait, bool cancel_pending) {
  if (!core_->is_here()) return;
  jobs_->close(wait);
  const std::exception_ptr untold = cancel_pending ? jobs_->cancel_all() : nullptr;
  core_->shutdown(wait, cancel_pending);
  if (wait) jobs_->await_ends();
  if (untold != nullptr) std::rethrow_exception(untold);
}

bool ClusterExecutor::drain(std::optional<Duration> timeout) { return core_->drain(timeout); }

unsigned ClusterExecutor::max_workers() const noexcept { return core_->slots(); }

unsigned ClusterExecutor::worker_count() const noexcept { return core_->workers(); }

}  // namespace muster
