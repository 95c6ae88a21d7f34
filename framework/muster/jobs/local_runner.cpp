#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/jobs/local_runner.hpp>
#include <muster/jobs/task_functions.hpp>
#include <muster/scheduling/scheduler.hpp>

namespace muster::jobs {
namespace {

constexpr auto tick = std::chrono::milliseconds(100);

// Attempts whose futures are done, in the order they became so. Shared with the futures'
// callbacks, which may outlive the run by a moment.
class CompletionQueue {
 public:
  void push(AttemptId attempt) {
    const std::lock_guard lock(mutex_);
    done_.push_back(attempt);
    arrived_.notify_one();
  }
  std::deque<AttemptId> take(TimePoint until) {
    std::unique_lock lock(mutex_);
    arrived_.wait_until(lock, until, [this] { return !done_.empty(); });
    return std::exchange(done_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<AttemptId> done_;
};

class LocalRunner {
 public:
  LocalRunner(std::vector<std::unique_ptr<Stage>> stages, ProcessPoolExecutor& pool,
              observe::JobObserver& observer, const std::stop_token& stop)
      : job_(std::move(stages)),
        pool_(pool),
        observer_(observer),
        stop_(stop),
        scheduler_(scheduling::SchedulerOptions{}) {}

  std::vector<StageReport> run() {
    try {
      submit();
      while (!job_.outcome()) step();
    } catch (...) {
      stop_all();
      throw;
    }
    stop_all();
    if (*job_.outcome() != scheduling::Outcome::succeeded) throw job_.error();
    return job_.reports();
  }

 private:
  struct Running {
    std::uint32_t stage;
    std::uint32_t chunk;
    std::uint32_t number;
    Future<Bytes> future;
  };

  void submit() {
    // Twice the processes: the pool has the next chunk at hand when one is done.
    feed(scheduling::WorkerJoined{WorkerId{0}, pool_.max_workers() * 2});
    feed(scheduling::JobSubmitted{JobId{1}, job_.spec()});
  }

  void step() {
    TimePoint until = Clock::now() + tick;
    if (const auto deadline = scheduler_.next_deadline()) until = std::min(until, *deadline);
    for (const AttemptId attempt : completed_->take(until)) finish(attempt);
    std::vector<scheduling::Action> actions;
    scheduler_.expire(Clock::now(), actions);
    carry_out(actions);
    if (stop_.stop_requested() && !job_.outcome()) feed(scheduling::JobCancelled{JobId{1}});
    report_progress();
  }

  void feed(const scheduling::Event& event) {
    std::vector<scheduling::Action> actions;
    scheduler_.handle(Clock::now(), event, actions);
    carry_out(actions);
  }

  void carry_out(const std::vector<scheduling::Action>& actions) {
    for (const scheduling::Action& each : actions) {
      std::visit([this](const auto& action) { act(action); }, each);
    }
  }

  void act(const scheduling::StartAttempt& action) {
    const bool begins = !job_.has_begun(action.stage);
    Stage::Call call = job_.call(Clock::now(), action.stage, action.chunk, name_of(action.attempt));
    if (begins) report(action.stage);
    const TaskOptions options{.fresh_process = action.alone};
    Future<Bytes> future =
        pool_.submit_raw(function_of(call.kind), std::move(call.argument), options);
    const auto& made =
        running_
            .emplace(action.attempt,
                     Running{action.stage, action.chunk, action.attempt_number, std::move(future)})
            .first->second;
    made.future.add_done_callback(
        [queue = completed_, attempt = action.attempt] { queue->push(attempt); });
  }

  void act(const scheduling::CancelAttempt& action) {
    const auto at = running_.find(action.attempt);
    if (at != running_.end()) at->second.future.cancel();
  }

  void act(const scheduling::ChunkFinished& action) {
    MUSTER_ASSERT(granted_result_.has_value());
    job_.accept(action.stage, action.chunk, name_of(action.attempt), *granted_result_);
  }

  void act(const scheduling::StageFinished& action) {
    job_.stage_finished(Clock::now(), action.stage);
    report(action.stage);
  }

  void act(const scheduling::JobFinished& action) { job_.ended(action); }

  void act(const scheduling::JobRejected& action) {
    throw Error(ErrorCode::limit,
                fmt::format("the job cannot be run: {}", to_string(action.reason)),
                "give a larger --chunk-size");
  }

  // Said of several workers, of leases, of output that is left on workers, of streams: of nothing
  // here.
  void act(const scheduling::RecallAttempt& /*action*/) { MUSTER_ASSERT(false); }
  void act(const scheduling::WorkerExpired& /*action*/) { MUSTER_ASSERT(false); }
  void act(const scheduling::WorkerSuspended& /*action*/) { MUSTER_ASSERT(false); }
  void act(const scheduling::WorkerReleased& /*action*/) { MUSTER_ASSERT(false); }
  void act(const scheduling::ChunkReopened& /*action*/) { MUSTER_ASSERT(false); }
  void act(const scheduling::ChunkFailed& /*action*/) { MUSTER_ASSERT(false); }

  // An attempt's future is done: tell the scheduler how it ended.
  void finish(AttemptId attempt) {
    const auto at = running_.find(attempt);
    MUSTER_ASSERT(at != running_.end());
    const Running ended = std::move(at->second);
    running_.erase(at);
    if (ended.future.cancelled()) {
      feed(scheduling::AttemptFailed{attempt, scheduling::FailureCause::killed});
      return;
    }
    const std::exception_ptr error = ended.future.exception();
    if (!error) {
      granted_result_ = ended.future.result();
      feed(scheduling::AttemptSucceeded{attempt});
      granted_result_.reset();
      return;
    }
    const Stage& stage = job_.stage(ended.stage);
    AttemptFailure failure =
        classify(error, [&](std::uint64_t position) { return stage.place(ended.chunk, position); });
    const scheduling::FailureCause cause = failure.cause;
    observer_.attempt_failed(
        {stage.name(), ended.chunk, ended.number, std::string(to_string(cause)), failure.message});
    job_.failed(ended.stage, std::move(failure));
    feed(scheduling::AttemptFailed{attempt, cause});
  }

  static std::string name_of(AttemptId attempt) { return std::to_string(attempt.value); }

  void report(std::uint32_t stage) {
    std::uint64_t running_bytes = 0;
    for (const auto& [attempt, each] : running_) {
      if (each.stage != stage) continue;
      const auto now = pool_.progress(each.future);
      if (now) running_bytes += std::min(now->progress, job_.stage(stage).chunk_bytes(each.chunk));
    }
    observer_.progress(job_.progress(Clock::now(), stage, running_bytes));
  }

  void report_progress() {
    const TimePoint now = Clock::now();
    const auto current = job_.current_stage();
    if (!current || now - reported_ < tick) return;
    reported_ = now;
    report(*current);
  }

  // A killed attempt may be making a file just then: whoever tidies up afterwards must find all.
  void stop_all() {
    for (const auto& [attempt, each] : running_) each.future.cancel();
    running_.clear();
    pool_.await_killed();
  }

  JobRun job_;
  ProcessPoolExecutor& pool_;
  observe::JobObserver& observer_;
  const std::stop_token& stop_;
  scheduling::Scheduler scheduler_;
  std::shared_ptr<CompletionQueue> completed_ = std::make_shared<CompletionQueue>();
  std::map<AttemptId, Running> running_;
  std::optional<Bytes> granted_result_;  // of the attempt that is being reported as succeeded
  TimePoint reported_{};
};

}  // namespace

std::vector<StageReport> run_stages(std::vector<std::unique_ptr<Stage>> stages,
                                    ProcessPoolExecutor& pool, observe::JobObserver& observer,
                                    const std::stop_token& stop) {
  return LocalRunner(std::move(stages), pool, observer, stop).run();
}

}  // namespace muster::jobs
