#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/cluster/coordinator/call_book.hpp>
#include <muster/cluster/coordinator/code_relay.hpp>
#include <muster/cluster/coordinator/job_book.hpp>
#include <muster/scheduling/scheduler.hpp>
#include <muster/transport/curve.hpp>
#include <muster/wire/sessions.hpp>

namespace muster::cluster {

struct CoordinatorOptions {
  wire::SessionsOptions sessions = {};
  scheduling::SchedulerOptions scheduler = {};
  /// How long jobs of an earlier life wait for workers that had something of them. After an outage
  /// all have tried to come back by then: see LinkOptions::pause_max. Also how long all workers may
  /// have paused, before jobs end for want of room.
  Duration recover_within = std::chrono::minutes(1);
  /// By which workers know each other (wire::DataKeys); empty: there are no keys.
  transport::CurveKeyPair data_keys = {};
  /// Whether this program or plugin may be run.
  std::function<bool(const wire::Digest&)> may_run = [](const auto&) { return true; };
  /// Gets a line for each thing that people who run it want to know of. It must not throw.
  std::function<void(const std::string& line)> log = [](const auto&) {};
};

/// The coordinator without its socket: sessions, scheduler, and the calls between them. Told of
/// frames and times, it says what to send. Files aside, which are in the code store and the
/// journal, it is a pure state machine; not thread-safe.
///
/// What is for one worker or client gathers until take_frames(), so that one message carries many
/// calls, and waits where the other side does not keep up.
class CoordinatorCore {
 public:
  /// Store and journal must outlive it; the journal is to be committed before frames are sent. The
  /// jobs that it has are gone on with.
  CoordinatorCore(TimePoint now, CoordinatorOptions options, CodeStore& store, Journal& journal);

  void receive(TimePoint now, wire::PeerId peer, std::string_view user, std::string_view bytes);
  void gone(wire::PeerId peer) { sessions_.gone(peer); }
  /// Keys were authorized or revoked: those whose key was are put out.
  void recheck_keys(TimePoint now);
  void expire(TimePoint now);
  std::optional<TimePoint> next_deadline() const;

  using Frames = std::vector<std::pair<wire::PeerId, wire::SharedFrame>>;
  /// What is to be sent.
  Frames take_frames(TimePoint now);

  /// For this program itself. What was ordered is done with the next frames.
  Answer answer(TimePoint now, const Question& question);

  /// What is to be run elsewhere, and what came of it.
  std::vector<JobBook::FileWork> take_file_work() { return jobs_.take_file_work(); }
  void committed(TimePoint now, JobId job, const std::optional<Error>& error);

  /// Tells everybody that it ends.
  void end(const std::string& reason);

  struct Counters {
    std::uint64_t calls = 0;   ///< taken
    std::uint64_t values = 0;  ///< calls that gave one
    std::uint64_t errors = 0;  ///< that ended otherwise, but for those withdrawn
    std::uint64_t workers_lost = 0;
  };
  const Counters& counters() const noexcept { return counters_; }
  const wire::Sessions::Counters& session_counters() const noexcept { return sessions_.counters(); }
  const scheduling::Counters& scheduler_counters() const noexcept { return scheduler_.counters(); }
  std::size_t workers() const noexcept { return workers_.size(); }
  std::size_t clients() const noexcept { return book_.clients().size(); }
  std::size_t open_calls() const noexcept { return book_.open_calls(); }
  std::size_t streams() const noexcept { return book_.stream_count(); }
  std::size_t open_jobs() const noexcept { return jobs_.size(); }

 private:
  struct Outgoing {
    wire::Digest program{};
    wire::CodeKind kind = wire::CodeKind::program;
    wire::Call call;
  };
  struct Worker {
    std::string name;
    std::string host;
    std::string version;
    std::string sandbox;
    std::uint32_t pid = 0;
    std::uint32_t slots = 0;
    bool paused = false;
    bool draining = false;
    std::vector<Outgoing> calls;
    std::vector<wire::Withdrawals::Withdrawal> withdrawals;
  };
  struct Client {
    std::string name;
    std::vector<wire::CallEnd> ends;
    std::vector<std::uint64_t> starts;
  };
  struct Attempt {
    CallPlace place;
    WorkerId worker;
    std::optional<scheduling::StartAttempt> of_job = std::nullopt;
    bool is_recalled = false;  ///< and whether it had started is not known
  };
  /// A job that waits for its plugin; or without a job that plugin alone.
  struct Submission {
    wire::SessionId client;
    std::uint64_t number = 0;
    wire::Digest plugin{};
    std::optional<wire::SubmitJob> job;
  };

  void take_events(TimePoint now);
  void take_back_unsent(TimePoint now, wire::SessionId session, Worker& worker);
  void on(TimePoint now, const wire::SessionBegun& event);
  void on(TimePoint now, const wire::SessionEnded& event);
  void on(TimePoint now, wire::SessionMessage&& event);
  void on_client(TimePoint now, wire::SessionId client, wire::Message&& message);
  void on_worker(TimePoint now, wire::SessionId worker, wire::Message&& message);
  void on(TimePoint now, wire::SessionId client, wire::Calls&& calls);
  void on(TimePoint now, wire::SessionId client, const wire::Withdrawals& withdrawals);
  void on(TimePoint now, wire::SessionId worker, wire::Ends&& ends);
  void on(TimePoint now, wire::SessionId worker, const wire::Starts& starts);
  void on(TimePoint now, wire::SessionId session, const wire::WorkerState& state);
  void on(TimePoint now, wire::SessionId worker, AttemptId id, wire::CallEnd&& end);
  void withdraw(TimePoint now, const CallPlace& place, wire::Withdrawals::How how);

  // coordinator_jobs.cpp
  void on(TimePoint now, wire::SessionId client, wire::SubmitJob&& submission);
  void await_plugin(TimePoint now, Submission&& submission);
  void take_submissions(TimePoint now);
  template <class M>
  void send_answer(TimePoint now, wire::SessionId client, std::uint64_t number, const M& message);
  using WorkersAnswer = std::variant<wire::WorkerRows, wire::JobAnswer>;
  WorkersAnswer answer(TimePoint now, const wire::AskWorkers& question, const std::string& who);
  void on(TimePoint now, wire::SessionId client, const wire::AskWorkers& question);
  CoordinatorNumbers numbers() const;
  const char* state_of(wire::SessionId id, const Worker& worker) const;
  void on_end_of_job_attempt(TimePoint now, const scheduling::StartAttempt& attempt,
                             wire::CallEnd&& end);
  void start_job_attempt(const scheduling::StartAttempt& action);
  void carry_out_orders(TimePoint now);
  void watch_for_room(TimePoint now);
  void send_job_news(TimePoint now);

  void tell(TimePoint now, const scheduling::Event& event);
  void carry_out(const std::vector<scheduling::Action>& actions);
  void carry_out_actions();
  void on(const scheduling::StartAttempt& action);
  void on(const scheduling::CancelAttempt& action);
  void on(const scheduling::RecallAttempt& action);
  void on(const scheduling::ChunkFinished& action);
  void on(const scheduling::ChunkFailed& action);
  void on(const scheduling::JobFinished& action);
  void on(const scheduling::JobRejected& action);
  void on(const scheduling::ChunkReopened& action);
  void on(const scheduling::StageFinished& action);
  void on(const scheduling::WorkerSuspended& action);
  template <class Other>
  void on(const Other& action) {
    static_cast<void>(action);  // of jobs with stages, or nothing to be done
  }
  void tell_worker(WorkerId worker, const wire::Withdrawals::Withdrawal& withdrawal);
  void answer(const CallPlace& place, wire::EndKind kind, std::string bytes);

  void flush(TimePoint now, wire::SessionId id, Worker& worker);
  void flush(TimePoint now, wire::SessionId id, Client& client);
  void send_size(TimePoint now);
  void send_code(TimePoint now);

  CoordinatorOptions options_;
  wire::Sessions sessions_;
  scheduling::Scheduler scheduler_;
  CallBook book_;
  CodeRelay relay_;
  JobBook jobs_;
  std::vector<Submission> submissions_;  ///< whose plugins are on their way
  std::map<wire::SessionId, Worker> workers_;
  std::map<wire::SessionId, Client> clients_;
  std::unordered_map<AttemptId, Attempt> attempts_;
  std::string result_;                  ///< of the attempt that is just reported
  std::set<wire::SessionId> unsent_;    ///< those with something that waits
  std::vector<JobId> ended_jobs_;       ///< for the scheduler to forget
  std::vector<JobId> retired_streams_;  ///< to be sealed
  CodeRelay::Sends code_;
  TimePoint now_{};  ///< of what the scheduler is just told
  bool size_changed_ = false;
  std::optional<TimePoint> room_until_;  ///< when jobs end because all workers have paused
  wire::SessionsOutput output_;
  std::vector<scheduling::Action> actions_;
  std::vector<scheduling::Action> doing_;
  Counters counters_;
};

}  // namespace muster::cluster
