#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <muster/base/clock.hpp>
#include <muster/cluster/client/job_handle.hpp>
#include <muster/cluster/errors.hpp>
#include <muster/executors/init.hpp>
#include <muster/executors/sending_executor.hpp>

namespace muster {

namespace cluster {
class ClusterCore;
class JobFollowers;
}  // namespace cluster

/// How a program uses a cluster.
struct ClusterOptions {
  std::string name = {};  ///< for logs; default: what the program is called
  /// The file with its key (muster keys init), beside coordinator.pub; or a directory that holds
  /// client.key. Empty: no keys, which coordinators allow on one machine.
  std::filesystem::path keys = {};

  /// How long the constructor waits until the coordinator has let it in.
  Duration connect_within = std::chrono::seconds(10);
  /// A coordinator that cannot be reached for so long is given up: the executor is broken then, and
  /// everything that is pending fails with BrokenExecutor.
  Duration give_up_after = std::chrono::minutes(5);

  /// How often a call may be run again after its worker was lost while it ran, or its coordinator.
  /// So a call may run more than once, though its future gets one outcome; with 0 it does not.
  /// TaskOptions::retries are for the death of its process alone.
  unsigned worker_retries = 3;

  /// A larger call fails with Error(limit), as does a result of more than 15 MiB. At most 15 MiB.
  std::uint64_t call_bytes_max = std::uint64_t{15} << 20U;
};

/// Runs functions on the workers of a cluster, as a ProcessPoolExecutor does in task processes of
/// this machine: what can be sent is the same, what a task process may do and how errors come back
/// is the same, and a crash costs the one task.
///
/// How it works: workers get this very program (its file and those of its libraries, by their
/// SHA-256, once), start it up to its muster::init(), and fork task processes from there. So
/// muster::init() must be called at the top of main; the constructor checks that. Globals have the
/// values that they have there. The workers' C library has to be the one that the program was
/// linked with, as has every library below /lib and /usr/lib.
///
/// - cancel(): not started, as far as is known here, or without a std::stop_token: the future is
///   cancelled at once. The worker hears of it a little later; if the call has started by then, its
///   process is killed. That a call has started is known here some milliseconds after it has.
///   stop() and shutdown(cancel_pending) wait for the worker's word.
/// - A coordinator that is gone for a while is waited for; what it has forgotten is sent again.
/// - Callbacks of futures run in a thread of the executor, and may take their time.
///
/// Thread-safe. Futures outlive it; each gets an outcome. In a forked child it is of no use, as a
/// process pool is.
class ClusterExecutor final : public SendingExecutor {
 public:
  /// "tcp://head:7600". Throws Error(usage) for an address that makes no sense, if muster::init()
  /// was not called, or if the coordinator refuses; Error(io) if it does not answer.
  explicit ClusterExecutor(const std::string& address, ClusterOptions options = {});
  ~ClusterExecutor() override;  ///< shutdown(true)

  /// Has the cluster run a map-reduce job, as 'muster run --coordinator' does: it is planned here,
  /// its plugin travels, and it goes on if the coordinator is started again. Workers must see its
  /// input under the same paths, and its output, or without one spec.temp_parent (default: that of
  /// this program). Returns when the coordinator has taken it. Callbacks of its futures run in a
  /// thread of its own.
  ///
  /// Throws Error(usage) or Error(plugin) for a spec that makes no sense, Error(broken) after
  /// shutdown(), Error(io) if the coordinator does not answer.
  JobHandle run(const jobs::JobSpec& spec, const JobOptions& options = {});

  void execute(detail::TaskPtr task) override;
  /// Of jobs, too: `wait` is for their ends, and `cancel_pending` cancels them; Error(io) if the
  /// coordinator could not be told so.
  void shutdown(bool wait = true, bool cancel_pending = false) override;
  /// Of calls; jobs have handles.
  bool drain(std::optional<Duration> timeout = std::nullopt) override;

  /// The slots of all workers that take calls just now; 1 if there are none.
  unsigned max_workers() const noexcept override;
  /// How many workers there are, as last heard.
  unsigned worker_count() const noexcept;

 private:
  std::shared_ptr<cluster::ClusterCore> core_;
  std::shared_ptr<cluster::JobFollowers> jobs_;
};

}  // namespace muster
