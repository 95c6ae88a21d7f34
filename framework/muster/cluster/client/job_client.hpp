#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/futures/promise.hpp>
#include <muster/transport/dialer.hpp>
#include <muster/transport/link_runner.hpp>
#include <muster/wire/jobs.hpp>

namespace muster::cluster {

struct JobClientOptions {
  std::string name = "muster";  ///< for logs
  std::filesystem::path keys = {};
  Duration connect_within = std::chrono::seconds(10);
  /// A coordinator that cannot be reached for so long is given up.
  Duration give_up_after = std::chrono::minutes(5);
};

/// Hands jobs to a coordinator and asks about them. What was asked is asked again if the
/// coordinator is started again meanwhile; a job is taken once.
///
/// Thread-safe. Questions throw Error(usage) with what the coordinator says against them, and
/// Error(io) when it is given up.
class JobClient final : private transport::LinkOwner {
 public:
  /// Returns when the coordinator has let it in and said what there is. Throws as ClusterExecutor.
  JobClient(const std::string& address, const JobClientOptions& options);
  ~JobClient() override;

  /// The job's number. `plugin` is the file that the coordinator fetches. Fills in ticket and
  /// digest.
  std::uint64_t submit(wire::SubmitJob job, const std::filesystem::path& plugin);

  /// What whoever watches a job is told, in the thread that watches.
  struct Watch {
    std::function<void(const wire::JobState&)> on_state;
    /// Empty: not wanted. All that a state counts have come before it. They come again, from the
    /// first on, after the coordinator was started again.
    std::function<void(const std::vector<wire::EndedChunk>&)> on_chunks = {};
    /// Asked every tenth of a second: the watch ends before the job.
    std::function<bool()> stop_waiting = [] { return false; };
  };
  /// Has the coordinator take a plugin's file, so that it is there when jobs need it.
  void push(const std::filesystem::path& plugin);
  /// Returns when the job has ended, with its last state.
  wire::JobState watch(std::uint64_t job, const Watch& watch);
  wire::JobState state(std::uint64_t job);
  std::vector<wire::JobState> list();
  void cancel(std::uint64_t job);
  wire::JobLog log(std::uint64_t job, std::uint64_t from);
  wire::WorkerRows workers();
  wire::WorkerRows drain(const std::string& worker);
  /// Of all workers that take calls just now.
  unsigned slots() const;

 private:
  using Answer = std::variant<wire::JobAnswer, wire::JobStates, wire::JobLog, wire::WorkerRows>;
  using Question = std::variant<wire::SubmitJob, wire::AskJob, wire::AskWorkers, wire::CodeOffered>;
  struct Open {
    Question question;
    std::optional<Answer> answer = {};
    std::vector<wire::EndedChunk> chunks = {};  ///< that have come since
    bool is_sent = false;
    bool stays = false;        ///< it has more than one answer
    bool is_given_up = false;  ///< nobody waits for the answer
  };
  using Lock = std::unique_lock<std::mutex>;

  void on_session(TimePoint now) override;
  void on_message(TimePoint now, wire::Message&& message) override;
  void on_refused(const wire::Refusal& refusal, bool for_good) override;
  void on_trouble(const std::string& trouble, const std::string& hint) override;
  void on_round(TimePoint now) override;
  std::optional<TimePoint> next_deadline() override;

  void run();
  void start();
  void give_code(const wire::CodeWanted& wanted);
  void take(std::uint64_t number, Answer answer);
  void take_chunks(wire::JobChunks&& chunks);
  std::uint64_t ask(Question question, bool stays = false);
  bool has_answer(std::uint64_t number) const;
  Answer await(std::uint64_t number);
  bool await_news(std::uint64_t number, const Watch& watch);
  void end_watch(std::uint64_t number, std::uint64_t job, bool job_has_ended);
  void pass_on_chunks(std::uint64_t number, const Watch& watch);
  Answer ask_and_wait(Question question);
  void require_alive(const Lock&) const;

  const JobClientOptions options_;
  std::unique_ptr<transport::Dialer> dialer_;
  wire::Link link_;
  transport::LinkRunner runner_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Open> open_;
  std::map<wire::Digest, std::filesystem::path> files_;
  std::map<std::uint64_t, std::uint64_t> tickets_;  ///< by job: of those that it has submitted
  std::uint64_t last_number_ = 0;
  std::optional<unsigned> slots_;  ///< said at the beginning of a session
  bool ending_ = false;
  std::optional<wire::Refusal> refused_;
  std::optional<std::string> broken_;
  std::string trouble_;
  std::string hint_ = "is muster-coordinator running there, and may it be reached?";
  std::optional<TimePoint> lost_since_;  ///< the link's own
  std::thread thread_;
};

}  // namespace muster::cluster
