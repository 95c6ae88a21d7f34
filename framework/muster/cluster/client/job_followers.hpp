#pragma once

#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <muster/cluster/client/followed_job.hpp>
#include <muster/cluster/client/job_client.hpp>

namespace muster::cluster {

/// The jobs that an executor runs, each followed by a thread of its own. Connects when the first
/// one is run. Thread-safe.
class JobFollowers {
 public:
  JobFollowers(std::string address, JobClientOptions options);
  ~JobFollowers();  ///< waits for the ends of all jobs
  JobFollowers(const JobFollowers&) = delete;
  JobFollowers& operator=(const JobFollowers&) = delete;

  /// Throws Error(broken) after close(), and as JobSubmission and JobClient do.
  std::shared_ptr<FollowedJob> run(const jobs::JobSpec& spec, const JobOptions& options);

  /// Takes no more jobs. Throws Error(usage) in a callback of one of them if that is to be followed
  /// by await_ends().
  void close(bool then_wait);
  /// Asks the coordinator to stop all that run. All are told; gives what the first one that could
  /// not be told has thrown.
  std::exception_ptr cancel_all();
  /// Returns when all have ended.
  void await_ends();

 private:
  struct Follower {
    std::weak_ptr<FollowedJob> job;  ///< its thread and its handles keep it
    std::thread thread;
  };

  std::shared_ptr<JobClient> client();
  void throw_if_closed() const;  // with the lock
  std::vector<std::shared_ptr<FollowedJob>> running();

  const std::string address_;
  const JobClientOptions options_;
  std::mutex connect_mutex_;
  std::shared_ptr<JobClient> client_;  ///< with connect_mutex_
  std::mutex mutex_;
  bool closed_ = false;
  std::list<Follower> followers_;
};

}  // namespace muster::cluster
