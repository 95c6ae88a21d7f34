#include <algorithm>
#include <utility>

#include <muster/base/error.hpp>
#include <muster/base/thread.hpp>
#include <muster/cluster/client/job_followers.hpp>

namespace muster::cluster {

JobFollowers::JobFollowers(std::string address, JobClientOptions options)
    : address_(std::move(address)), options_(std::move(options)) {}

JobFollowers::~JobFollowers() { shut_down(true); }

std::shared_ptr<JobClient> JobFollowers::client() {
  const std::lock_guard lock(mutex_);
  if (closed_) throw Error(ErrorCode::broken, "the cluster executor was shut down");
  if (client_ == nullptr) client_ = std::make_shared<JobClient>(address_, options_);
  return client_;
}

std::shared_ptr<FollowedJob> JobFollowers::run(const jobs::JobSpec& spec,
                                               const JobOptions& options) {
  const std::shared_ptr<JobClient> client = this->client();
  auto job =
      std::make_shared<FollowedJob>(client, JobSubmission(spec, client->slots(), {}), options);
  std::unique_lock lock(mutex_);
  if (closed_) {  // meanwhile
    lock.unlock();
    job->cancel();
    throw Error(ErrorCode::broken, "the cluster executor was shut down");
  }
  followers_.remove_if([](Follower& each) {
    if (!each.job->has_ended()) return false;
    each.thread.join();
    return true;
  });
  followers_.push_back({job, start_thread("the thread of a job", [job] { job->follow(); })});
  return job;
}

void JobFollowers::cancel_all() {
  std::vector<std::shared_ptr<FollowedJob>> running;
  {
    const std::lock_guard lock(mutex_);
    for (const Follower& each : followers_) {
      if (!each.job->has_ended()) running.push_back(each.job);
    }
  }
  for (const auto& each : running) each->cancel();
}

void JobFollowers::shut_down(bool wait) {
  std::list<Follower> followers;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (!wait) return;
    const auto this_thread = std::this_thread::get_id();
    if (std::any_of(followers_.begin(), followers_.end(),
                    [&](const Follower& each) { return each.thread.get_id() == this_thread; })) {
      throw Error(ErrorCode::usage,
                  "a callback cannot wait for the end of the executor that runs it");
    }
    followers.swap(followers_);
  }
  // For ever, as asked: the coordinator ends each job, or is given up.
  for (Follower& each : followers) each.thread.join();
}

}  // namespace muster::cluster
