#include <algorithm>
#include <iterator>
#include <utility>

#include <muster/base/error.hpp>
#include <muster/base/thread.hpp>
#include <muster/cluster/client/job_followers.hpp>

namespace muster::cluster {

JobFollowers::JobFollowers(std::string address, JobClientOptions options)
    : address_(std::move(address)), options_(std::move(options)) {}

JobFollowers::~JobFollowers() {
  // For ever, as asked: the coordinator ends each job, or is given up.
  for (Follower& each : followers_) each.thread.join();
}

void JobFollowers::throw_if_closed() const {
  if (closed_) throw Error(ErrorCode::broken, "the cluster executor was shut down");
}

std::shared_ptr<JobClient> JobFollowers::client() {
  {
    const std::lock_guard lock(mutex_);
    throw_if_closed();
  }
  const std::lock_guard connecting(connect_mutex_);  // which takes its time
  if (client_ == nullptr) client_ = std::make_shared<JobClient>(address_, options_);
  return client_;
}

std::shared_ptr<FollowedJob> JobFollowers::run(const jobs::JobSpec& spec,
                                               const JobOptions& options) {
  const std::shared_ptr<JobClient> client = this->client();
  auto job =
      std::make_shared<FollowedJob>(client, JobSubmission(spec, client->slots(), {}), options);
  std::list<Follower> ended;
  try {
    const std::lock_guard lock(mutex_);
    throw_if_closed();
    for (auto each = followers_.begin(); each != followers_.end();) {
      const auto next = std::next(each);
      const auto known = each->job.lock();
      if (known == nullptr || known->has_ended()) ended.splice(ended.end(), followers_, each);
      each = next;
    }
    std::list<Follower> fresh;
    fresh.push_back({job, {}});
    fresh.front().thread = start_thread("the thread of a job", [job] { job->follow(); });
    followers_.splice(followers_.end(), fresh);
  } catch (...) {
    for (Follower& each : ended) each.thread.join();
    job->cancel();  // nobody would follow it
    throw;
  }
  for (Follower& each : ended) each.thread.join();
  return job;
}

void JobFollowers::close(bool then_wait) {
  const std::lock_guard lock(mutex_);
  const auto this_thread = std::this_thread::get_id();
  if (then_wait && std::any_of(followers_.begin(), followers_.end(), [&](const Follower& each) {
        return each.thread.get_id() == this_thread;
      })) {
    throw Error(ErrorCode::usage,
                "a callback cannot wait for the end of the executor that runs it");
  }
  closed_ = true;
}

std::vector<std::shared_ptr<FollowedJob>> JobFollowers::running() {
  std::vector<std::shared_ptr<FollowedJob>> out;
  const std::lock_guard lock(mutex_);
  for (const Follower& each : followers_) {
    auto job = each.job.lock();
    if (job != nullptr && !job->has_ended()) out.push_back(std::move(job));
  }
  return out;
}

std::exception_ptr JobFollowers::cancel_all() {
  std::exception_ptr first;
  for (const auto& each : running()) {
    try {
      each->cancel();
    } catch (const Error&) {
      if (first == nullptr) first = std::current_exception();
    }
  }
  return first;
}

void JobFollowers::await_ends() {
  for (const auto& each : running()) each->await_end();
}

}  // namespace muster::cluster
