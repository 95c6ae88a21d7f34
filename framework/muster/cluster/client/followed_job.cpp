#include <utility>

#include <muster/base/error.hpp>
#include <muster/cluster/client/followed_job.hpp>
#include <muster/cluster/client/job_outcome.hpp>
#include <muster/jobs/result_stream.hpp>
#include <muster/jobs/stage.hpp>

namespace muster::cluster {

FollowedJob::FollowedJob(std::shared_ptr<JobClient> client, JobSubmission submission,
                         const JobOptions& options)
    : client_(std::move(client)), submission_(std::move(submission)) {
  jobs::JobData none;
  for (const auto& each : jobs::make_stages(submission_.plan(), {}, none)) {
    stages_.push_back({std::string(each->name()), each->chunk_count(), promises_.size()});
    promises_.resize(promises_.size() + each->chunk_count());
  }
  for (Promise<ChunkReport>& each : promises_) {
    each.set_running();  // so that nobody cancels it alone
    futures_.push_back(each.future());
  }
  report_.set_running();
  number_ = submission_.hand_over(*client_, options.priority);
}

void FollowedJob::refuse_if_forked() const {
  if (is_here()) return;
  throw Error(ErrorCode::usage, "a forked child cannot use its parent's job");
}

void FollowedJob::cancel() const {
  refuse_if_forked();
  client_->cancel(number_);
}

void FollowedJob::follow() noexcept {
  follower_.store(std::this_thread::get_id());
  try {
    const wire::JobState state = client_->watch(
        number_, {.on_state = [](const wire::JobState&) {},
                  .on_chunks = [this](const std::vector<wire::EndedChunk>& all) { take(all); }});
    const bool is_cancelled = state.phase == wire::JobState::Phase::cancelled;
    if (is_cancelled && state.message.empty()) {
      cancel_all();
    } else {
      require_success(state);
      succeed(state);
    }
  } catch (const std::exception&) {
    fail(std::current_exception());
  }
  has_ended_.store(true);
  has_ended_.notify_all();
}

/// Some may come again: after a restart of the coordinator, or because they were run again.
void FollowedJob::take(const std::vector<wire::EndedChunk>& chunks) {
  for (const wire::EndedChunk& each : chunks) {
    if (each.stage >= stages_.size() || each.chunk >= stages_[each.stage].chunks) continue;
    const StageOfJob& stage = stages_[each.stage];
    const std::size_t place = stage.first + each.chunk;
    if (futures_[place].done()) continue;
    promises_[place].set_value(ChunkReport{stage.name, each.chunk, each.attempts, each.worker});
  }
}

void FollowedJob::succeed(const wire::JobState& state) {
  for (const StageOfJob& stage : stages_) {
    for (std::uint32_t chunk = 0; chunk < stage.chunks; ++chunk) {
      if (futures_[stage.first + chunk].done()) continue;
      promises_[stage.first + chunk].set_value(ChunkReport{stage.name, chunk, 0, {}});
    }
  }
  last_ = state;
  jobs::JobReport report = report_of(state);
  report.elapsed = Clock::now() - started_;
  report_.set_value(std::move(report));
}

void FollowedJob::fail(const std::exception_ptr& error) {
  for (std::size_t i = 0; i < promises_.size(); ++i) {
    if (!futures_[i].done()) promises_[i].set_exception(error);
  }
  if (!report_.future().done()) report_.set_exception(error);
}

void FollowedJob::cancel_all() {
  for (std::size_t i = 0; i < promises_.size(); ++i) {
    if (!futures_[i].done()) promises_[i].set_cancelled().run();
  }
  report_.set_cancelled().run();
}

void FollowedJob::read(const std::function<void(std::string_view)>& write) const {
  refuse_if_forked();
  if (follower_.load() == std::this_thread::get_id() && !report().done()) {
    throw Error(ErrorCode::usage, "a callback of a chunk cannot wait for the end of its job");
  }
  report().result();
  if (!last_.output.empty()) {
    throw Error(ErrorCode::usage, "the job's result is in '" + last_.output + "'", "read it there");
  }
  jobs::stream_result(submission_.plan(), data_of(last_), write);
}

}  // namespace muster::cluster
