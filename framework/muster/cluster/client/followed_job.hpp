#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/forks.hpp>
#include <muster/cluster/client/job_client.hpp>
#include <muster/cluster/client/job_handle.hpp>
#include <muster/cluster/client/job_submission.hpp>
#include <muster/futures/promise.hpp>

namespace muster::cluster {

/// What handles of a job share: its futures, which whoever follows it completes. Thread-safe, but
/// for follow(), which one thread calls once.
class FollowedJob {
 public:
  /// Hands the job over. Throws as JobSubmission::hand_over does.
  FollowedJob(std::shared_ptr<JobClient> client, JobSubmission submission,
              const JobOptions& options);

  std::uint64_t number() const noexcept { return number_; }
  const std::vector<Future<ChunkReport>>& chunks() const noexcept { return futures_; }
  Future<jobs::JobReport> report() const { return report_.future(); }
  void read(const std::function<void(std::string_view)>& write) const;
  void cancel() const;

  /// False in a forked child, where nothing of it may be touched.
  bool is_here() const noexcept { return home_process_.is_here(); }

  /// Returns when the job has ended, and all futures are done. Callbacks run in it.
  void follow() noexcept;
  bool has_ended() const noexcept { return has_ended_.load(); }
  /// For ever, if nobody follows it.
  void await_end() const noexcept { has_ended_.wait(false); }

 private:
  struct StageOfJob {
    std::string name;
    std::uint32_t chunks = 0;
    std::size_t first = 0;  ///< of its futures
  };

  void take(const std::vector<wire::EndedChunk>& chunks);
  void succeed(const wire::JobState& state);
  void fail(const std::exception_ptr& error);
  void cancel_all();
  void refuse_if_forked() const;

  const HomeProcess home_process_;
  const TimePoint started_ = Clock::now();
  std::shared_ptr<JobClient> client_;
  JobSubmission submission_;
  std::vector<StageOfJob> stages_;
  std::vector<Promise<ChunkReport>> promises_;
  std::vector<Future<ChunkReport>> futures_;
  Promise<jobs::JobReport> report_;
  wire::JobState last_;  ///< there from when the report is
  std::uint64_t number_ = 0;
  std::atomic<std::thread::id> follower_{};
  std::atomic<bool> has_ended_{false};
};

}  // namespace muster::cluster
