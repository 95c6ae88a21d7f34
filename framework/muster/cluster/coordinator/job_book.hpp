#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/error.hpp>
#include <muster/base/ids.hpp>
#include <muster/cluster/coordinator/journal.hpp>
#include <muster/cluster/coordinator/questions.hpp>
#include <muster/cluster/job_call.hpp>
#include <muster/jobs/job_run.hpp>
#include <muster/jobs/plan.hpp>
#include <muster/mapreduce/output_directory.hpp>
#include <muster/scheduling/scheduler.hpp>
#include <muster/wire/calls.hpp>
#include <muster/wire/jobs.hpp>
#include <muster/wire/sessions.hpp>

namespace muster::cluster {

/// The jobs that a coordinator runs: what their attempts are called with, what came of them, where
/// their map outputs are, and who wants to know. What has to survive the coordinator goes to the
/// journal, which its owner commits before it sends anything.
///
/// What it decides about chunks it leaves to the scheduler: it says what to tell that. Not
/// thread-safe. Throws what the journal throws.
class JobBook {
 public:
  /// `grace`: how long jobs of an earlier life wait for workers that had something of them. The
  /// journal must outlive it.
  JobBook(Journal& journal, Duration grace, std::function<void(const std::string&)> log);

  /// Jobs stay in the journal, and unfinished outputs where they are, but for what take_file_work()
  /// has given away.
  ~JobBook();
  JobBook(const JobBook&) = delete;
  JobBook& operator=(const JobBook&) = delete;

  /// Takes up what the journal has. To be called once, first.
  void recover(TimePoint now);

  void worker_joined(WorkerId worker, std::uint64_t instance, const std::string& name);
  void worker_at(WorkerId worker, const std::string& address);  ///< where it gives run files
  void worker_left(WorkerId worker, const std::string& why);    ///< after attempt_lost()
  /// Others do not reach it: it gets nothing just now.
  bool is_set_apart(WorkerId worker) const { return set_apart_.contains(worker); }
  void client_left(wire::SessionId client);

  bool has(JobId job) const { return jobs_.contains(job); }
  wire::JobAnswer submit(TimePoint now, wire::SessionId client, const std::string& owner,
                         wire::SubmitJob&& submission);
  /// `now` is for how far it is.
  void ask(TimePoint now, wire::SessionId client, const wire::AskJob& question);

  /// An attempt as it is sent, and the plugin that it is of.
  std::pair<wire::Digest, wire::Call> start(TimePoint now, const scheduling::StartAttempt& action);
  /// How much of its chunk's input a running attempt has read, in bytes.
  void progress(const scheduling::StartAttempt& attempt, std::uint64_t bytes);
  /// What its end means.
  std::vector<scheduling::Event> ended(TimePoint now, const scheduling::StartAttempt& attempt,
                                       wire::CallEnd&& end);
  /// Its worker is gone.
  void attempt_lost(const scheduling::StartAttempt& attempt, const std::string& why);
  void on(const scheduling::ChunkFinished& action);
  void on(const scheduling::ChunkReopened& action);
  void on(TimePoint now, const scheduling::StageFinished& action);
  void on(TimePoint now, const scheduling::JobFinished& action);
  void on(TimePoint now, const scheduling::JobRejected& action);

  /// What the scheduler is to be told because of all that.
  std::vector<scheduling::Event> take_orders() { return std::exchange(orders_, {}); }

  /// What makes an output visible or removes what is left of one: it may take long, and is for
  /// another thread. Throws Error.
  struct FileWork {
    std::optional<JobId> commits;  ///< it is left alone until committed() says what came of it
    std::function<void()> run;
  };
  /// To be called when the journal is committed: it follows from what that says.
  std::vector<FileWork> take_file_work();
  void committed(JobId id, const std::optional<Error>& error);

  using Message = std::variant<wire::JobStates, wire::JobChunks, wire::JobLog, wire::JobAnswer>;
  /// The same for somebody who does not stay: `watch` and `follow` are `state`.
  Message answer(TimePoint now, const wire::AskJob& question);
  /// Answers, and news for those who watch jobs.
  /// Those who do not keep up, as `has_room` says, hear of it later.
  std::vector<std::pair<wire::SessionId, Message>> take_news(
      TimePoint now, const std::function<bool(wire::SessionId)>& has_room);
  /// True once after the list of jobs that have not ended has changed.
  bool take_live_changed() { return std::exchange(live_changed_, false); }
  wire::LiveJobs live() const;
  std::size_t size() const noexcept { return jobs_.size(); }
  const EndedJobs& ended_jobs() const noexcept { return ended_; }
  /// Chunks that have not ended, of the stages that are at work.
  std::uint64_t open_chunks() const;

  /// No worker takes anything, for so long that nobody will make room: all jobs end.
  void give_up_for_want_of_room();
  void expire(TimePoint now);
  std::optional<TimePoint> next_deadline() const;

 private:
  struct Worker {
    std::uint64_t instance = 0;
    std::string name;
    std::string address;
  };
  struct Watch {
    std::optional<std::size_t> chunks{};  ///< how many it was told of; none: it does not want them
  };
  struct Running {
    std::uint32_t stage = 0;
    std::uint64_t bytes = 0;
  };
  /// Of a worker: those that it does not reach or that do not reach it, and how often it was to
  /// blame.
  struct Trouble {
    std::set<WorkerId> with;
    unsigned times = 0;
  };
  struct Job {
    Journal::Job record;
    jobs::Plan plan;
    jobs::Workspace workspace;
    jobs::JobData data;
    std::unique_ptr<jobs::JobRun> run;
    std::unique_ptr<mapreduce::OutputDirectory> output;
    std::optional<std::uint32_t> map_stage = {};  ///< if a stage behind it takes what it leaves
    std::vector<std::uint64_t> runs_at = {};      ///< by map chunk: the worker's instance
    std::vector<AttemptId> mapped_by = {};        ///< by map chunk; 0: in an earlier life
    std::optional<wire::SessionId> client = {};   ///< with which it ends; if it has no output
    /// By the number of the question.
    std::map<wire::SessionId, std::map<std::uint64_t, Watch>> watchers = {};
    std::vector<wire::EndedChunk> ended_chunks = {};  ///< in the order in which they ended
    std::optional<Error> broken = {};                 ///< why it is ended from here
    std::map<WorkerId, Trouble> troubles = {};        ///< that it has had with workers
    std::size_t attempts_lost = 0;                    ///< with the worker that just leaves
    std::vector<Journal::Chunk> restored = {};
    std::set<std::uint64_t> awaited = {};        ///< instances of workers
    std::optional<TimePoint> wait_until = {};    ///< it is not with the scheduler before
    std::optional<TimePoint> client_until = {};  ///< its client has to be back by then
    std::map<AttemptId, Running> running = {};   ///< of those whose worker has told of them
    bool has_reopened = false;                   ///< a chunk, ever
    bool has_news = false;
  };
  struct Granted {
    std::uint64_t instance = 0;
    std::string worker;
    std::uint32_t attempts = 0;
    std::string result;
  };

  Job& job(JobId id) { return *jobs_.at(id); }
  std::unique_ptr<Job> make_job(Journal::Job record);
  void restore(TimePoint now, Journal::Job&& record);
  void restore_chunks(Job& of);
  void begin(Job& of);
  std::vector<scheduling::RestoredChunk> still_there(Job& of);
  scheduling::JobSpec spec_of(const Job& job) const;
  std::string attempt_name(AttemptId attempt) const;
  jobs::AttemptFailure failure_of(const Job& of, const scheduling::StartAttempt& attempt,
                                  wire::CallEnd& end) const;
  static bool has_read_what_was_lost(const Job& of, const scheduling::StartAttempt& attempt,
                                     std::string_view result);
  std::vector<scheduling::Event> fail(Job& of, const scheduling::StartAttempt& attempt,
                                      jobs::AttemptFailure failure);

  // job_book_inputs.cpp
  std::vector<scheduling::Event> lose_input(TimePoint now, Job& of,
                                            const scheduling::StartAttempt& attempt,
                                            JobCallEnd&& end);
  std::optional<WorkerId> worker_with(const std::string& address) const;
  bool has_runs_at(const Job& of, WorkerId worker) const;
  std::optional<WorkerId> cut_off_of(Job& of, WorkerId asking, WorkerId silent) const;
  void set_apart(TimePoint now, Job& of, WorkerId worker, std::vector<scheduling::Event>& out);
  void end_setting_apart(TimePoint now);

  void end(Job& of, wire::JobState::Phase phase, const std::optional<Error>& error);
  void say(Job& job, const std::string& text);
  void give_up(JobId id);
  void update_state(TimePoint now, Job& of);
  wire::JobLog log_of(const wire::AskJob& question) const;
  void push_state(wire::SessionId client, std::uint64_t number, const wire::JobState& state);
  static void end_watch(Job& of, wire::SessionId client, std::uint64_t number);
  void push_news(wire::SessionId client, std::uint64_t number, Watch& watch, const Job& of);
  void push_news(wire::SessionId client, std::map<std::uint64_t, Watch>& watches, const Job& of);
  std::string worker_name(WorkerId worker) const;

  Journal& journal_;
  const Duration grace_;
  std::function<void(const std::string&)> log_;
  std::map<JobId, std::unique_ptr<Job>> jobs_;  ///< those that have not ended
  std::map<WorkerId, Worker> workers_;
  std::map<std::uint64_t, WorkerId> by_instance_;
  std::map<WorkerId, TimePoint> set_apart_;  ///< those that do not reach others; until when
  std::optional<Granted> granted_;           ///< of the attempt that was just reported
  std::vector<scheduling::Event> orders_;
  std::vector<FileWork> file_work_;
  std::vector<std::unique_ptr<mapreduce::OutputDirectory>> unwanted_;  ///< outputs of ended jobs
  std::vector<std::pair<wire::SessionId, Message>> answers_;
  bool live_changed_ = false;
  EndedJobs ended_;
  TimePoint news_at_{};
};

}  // namespace muster::cluster
