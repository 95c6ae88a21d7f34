#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/jobs/attempt_failure.hpp>
#include <muster/jobs/local_runner.hpp>
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
  LocalRunner(const std::vector<std::unique_ptr<Stage>>& stages, ProcessPoolExecutor& pool,
              observe::JobObserver& observer, const std::stop_token& stop)
      : stages_(stages),
        pool_(pool),
        observer_(observer),
        stop_(stop),
        scheduler_(scheduling::SchedulerOptions{}),
        reports_(stages.size()),
        started_(stages.size()) {}

  std::vector<StageReport> run() {
    try {
      submit();
      while (!outcome_) step();
    } catch (...) {
      stop_all();
      throw;
    }
    stop_all();
    if (*outcome_ == scheduling::Outcome::cancelled) {
      throw Error(ErrorCode::cancelled, "cancelled");
    }
    if (failure_) throw_failure();
    return std::move(reports_);
  }

 private:
  struct Running {
    std::uint32_t stage;
    std::uint32_t chunk;
    std::uint32_t number;
    Future<Bytes> future;
  };

  void submit() {
    scheduling::JobSpec spec;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      spec.push_back({stages_[i]->chunk_count(),
                      i == 0 ? scheduling::Edge::none : scheduling::Edge::barrier,
                      {}});
    }
    // Twice the processes: the pool has the next chunk at hand when one is done.
    feed(scheduling::WorkerJoined{WorkerId{0}, pool_.max_workers() * 2});
    feed(scheduling::JobSubmitted{JobId{1}, std::move(spec)});
  }

  void step() {
    TimePoint until = Clock::now() + tick;
    if (const auto deadline = scheduler_.next_deadline()) until = std::min(until, *deadline);
    for (const AttemptId attempt : completed_->take(until)) finish(attempt);
    std::vector<scheduling::Action> actions;
    scheduler_.expire(Clock::now(), actions);
    carry_out(actions);
    if (stop_.stop_requested() && !outcome_) feed(scheduling::JobCancelled{JobId{1}});
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
    if (!started_[action.stage]) begin_stage(action.stage);
    Stage::Call call = stages_[action.stage]->call(action.chunk, action.attempt);
    const TaskOptions options{.fresh_process = action.alone};
    Future<Bytes> future = pool_.submit_raw(call.function, std::move(call.argument), options);
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
    stages_[action.stage]->accept(action.chunk, action.attempt, *granted_result_);
    reports_[action.stage].bytes += stages_[action.stage]->chunk_bytes(action.chunk);
    ++reports_[action.stage].chunks;
  }

  void act(const scheduling::StageFinished& action) {
    if (!started_[action.stage]) begin_stage(action.stage);
    StageReport& report = reports_[action.stage];
    report.elapsed = Clock::now() - *started_[action.stage];
    observer_.progress(progress_of(action.stage));
    ++current_;
  }

  void act(const scheduling::JobFinished& action) {
    outcome_ = action.outcome;
    failure_ = action.failure;
    decisive_failure_ = last_failure_;  // others may fail before all have stopped
  }

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

  void begin_stage(std::uint32_t stage) {
    started_[stage] = Clock::now();
    reports_[stage].name = stages_[stage]->name();
    observer_.progress(progress_of(stage));
  }

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
    const Stage& stage = *stages_[ended.stage];
    last_failure_ =
        classify(error, [&](std::uint64_t position) { return stage.place(ended.chunk, position); });
    const AttemptFailure& failure = *last_failure_;
    observer_.attempt_failed({stage.name(), ended.chunk, ended.number,
                              std::string(to_string(failure.cause)), failure.message});
    if (!outcome_) ++reports_[ended.stage].retries[failure.cause];
    feed(scheduling::AttemptFailed{attempt, failure.cause});
  }

  observe::StageProgress progress_of(std::uint32_t index) {
    const Stage& stage = *stages_[index];
    observe::StageProgress out;
    out.stage = stage.name();
    out.chunks = stage.chunk_count();
    out.chunks_done = reports_[index].chunks;
    out.bytes_done = reports_[index].bytes;
    for (std::uint32_t i = 0; i < out.chunks; ++i) out.bytes += stage.chunk_bytes(i);
    for (const auto& [attempt, each] : running_) {
      if (each.stage != index) continue;
      const auto now = pool_.progress(each.future);
      if (now) out.bytes_done += std::min(now->progress, stage.chunk_bytes(each.chunk));
    }
    for (std::size_t i = 0; i < scheduling::failure_cause_count; ++i) {
      out.retries += reports_[index].retries[static_cast<scheduling::FailureCause>(i)];
    }
    out.elapsed = Clock::now() - *started_[index];
    return out;
  }

  void report_progress() {
    const TimePoint now = Clock::now();
    if (outcome_ || current_ >= stages_.size() || !started_[current_]) return;
    if (now - reported_ < tick) return;
    reported_ = now;
    observer_.progress(progress_of(static_cast<std::uint32_t>(current_)));
  }

  // A killed attempt may be making a file just then: whoever tidies up afterwards must find all.
  void stop_all() {
    for (const auto& [attempt, each] : running_) each.future.cancel();
    running_.clear();
    pool_.await_killed();
  }

  [[noreturn]] void throw_failure() const {
    MUSTER_ASSERT(decisive_failure_.has_value());
    const Stage& stage = *stages_[failure_->stage];
    std::string message = stage.describe(failure_->chunk);
    message += failure_->attempts == 1 ? " failed: "
                                       : fmt::format(" failed {} times: ", failure_->attempts);
    throw Error(decisive_failure_->code, message + decisive_failure_->message,
                decisive_failure_->hint);
  }

  const std::vector<std::unique_ptr<Stage>>& stages_;
  ProcessPoolExecutor& pool_;
  observe::JobObserver& observer_;
  const std::stop_token& stop_;
  scheduling::Scheduler scheduler_;
  std::shared_ptr<CompletionQueue> completed_ = std::make_shared<CompletionQueue>();
  std::map<AttemptId, Running> running_;
  std::optional<Bytes> granted_result_;  // of the attempt that is being reported as succeeded
  std::optional<AttemptFailure> last_failure_;
  std::optional<AttemptFailure> decisive_failure_;  // the one that ended the job
  std::vector<StageReport> reports_;
  std::vector<std::optional<TimePoint>> started_;
  std::size_t current_ = 0;
  TimePoint reported_{};
  std::optional<scheduling::Outcome> outcome_;
  std::optional<scheduling::JobFailure> failure_;
};

}  // namespace

std::vector<StageReport> run_stages(const std::vector<std::unique_ptr<Stage>>& stages,
                                    ProcessPoolExecutor& pool, observe::JobObserver& observer,
                                    const std::stop_token& stop) {
  return LocalRunner(stages, pool, observer, stop).run();
}

}  // namespace muster::jobs
