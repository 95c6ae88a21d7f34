#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <muster/cluster/client/followed_job.hpp>
#include <muster/cluster/client/job_client.hpp>

namespace muster::cluster {

/// The jobs that an executor runs, each followed by a thread of its own. Connects when the first
/// one is run. Thread-safe.
class JobFollowers {
 public:
  JobFollowers(std::string address, JobClientOptions options);
  ~JobFollowers();  ///< shut_down(true)
  JobFollowers(const JobFollowers&) = delete;
  JobFollowers& operator=(const JobFollowers&) = delete;

  /// Throws Error(broken) after shut_down(), and as JobSubmission and JobClient do.
  std::shared_ptr<FollowedJob> run(const jobs::JobSpec& spec, const JobOptions& options);
  /// Asks the coordinator to stop all that run.
  void cancel_all();
  /// Takes no more jobs. With `wait` returns when all have ended; throws Error(usage) in a callback
  /// of one of them.
  void shut_down(bool wait);

 private:
  struct Follower {
    std::shared_ptr<FollowedJob> job;
    std::thread thread;
  };

  std::shared_ptr<JobClient> client();

  const std::string address_;
  const JobClientOptions options_;
  std::mutex mutex_;
  bool closed_ = false;
  std::shared_ptr<JobClient> client_;
  std::list<Follower> followers_;
};

}  // namespace muster::cluster
