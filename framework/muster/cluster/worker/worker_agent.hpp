#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <muster/base/temp_dir.hpp>
#include <muster/cluster/code/code_store.hpp>
#include <muster/cluster/shuffle/run_server.hpp>
#include <muster/cluster/worker/call_gate.hpp>
#include <muster/cluster/worker/disk_watch.hpp>
#include <muster/cluster/worker/job_files.hpp>
#include <muster/cluster/worker/memory_watch.hpp>
#include <muster/cluster/worker/program.hpp>
#include <muster/transport/link_runner.hpp>
#include <muster/wire/link.hpp>

namespace muster::cluster {

struct WorkerOptions {
  std::string name;                  ///< in its cluster
  unsigned slots = 1;                ///< calls at a time, of all programs together
  unsigned ahead = 0;                ///< calls held besides; 0: 128 for each slot
  ProgramOptions programs;           ///< `slots` and `scratch` are set by the agent
  std::string sandbox = "off";       ///< of the programs, for people who ask the coordinator
  std::optional<Duration> lifetime;  ///< counted from run() on; then it drains
  wire::LinkOptions link = {};
  /// Where directories for the files of jobs are made; on a disk of this machine.
  std::filesystem::path scratch = default_temp_parent();
  /// While that disk has less room it takes no calls, and says so.
  std::uint64_t least_free = std::uint64_t{64} << 20U;
  /// For all task processes together: jobs share it among the slots. 0: half of what may be used.
  std::uint64_t memory_bytes = 0;
  /// If all task processes together take more, the one that has most is ended. 0: nineteen
  /// twentieths of what this process may use.
  std::uint64_t memory_bytes_max = 0;
  /// Gives the address of this machine at which other workers fetch these files. Asked when there
  /// is a session, and not before: then the way to the coordinator is known.
  std::function<std::string()> data_host = [] { return "127.0.0.1"; };
  /// Gets a line for each thing that people who run it want to know of. It must not throw.
  std::function<void(const std::string& line)> log = [](const auto&) {};
};

/// A worker: takes calls from a coordinator and runs them in task processes of the clients' own
/// programs. It stops what it runs when the coordinator may have given it up, so that nothing runs
/// twice for long.
class WorkerAgent final : public EndSink, private transport::LinkOwner {
 public:
  /// The dialer must outlive it.
  WorkerAgent(WorkerOptions options, transport::Dialer& dialer,
              std::filesystem::path code_directory);
  ~WorkerAgent() override;

  /// Works until it was told to stop, or the coordinator will not have it: then it throws
  /// Error(usage) that says why. Throws Error(broken) if this program's zygote dies. The calling
  /// thread must live as long as the programs that it starts: it is their parent.
  void run();

  /// Gives back what has not started, ends the rest, and leaves. A second time it kills what still
  /// runs. Of any thread, and of signal handlers.
  void stop() noexcept;

  void ended(std::uint64_t generation, wire::CallEnd&& end) noexcept override;

 private:
  struct OpenCall {
    detail::TaskPtr task;
    wire::Digest program{};
    enum class Place : std::uint8_t {
      held,
      inside,  ///< of its program's pool
      over,    ///< its end is on the way
    };
    Place place = Place::held;
    CallGate::Ticket ticket = 0;
    TimePoint since;
    bool start_is_known = false;
  };

  void on_session(TimePoint now) override;
  void on_message(TimePoint now, wire::Message&& message) override;
  void on_refused(const wire::Refusal& refusal, bool for_good) override;
  void on_trouble(const std::string& trouble, const std::string& hint) override;
  void on_lease_over(TimePoint now) override;
  wire::Heartbeat heartbeat() override;
  void on_round(TimePoint now) override;
  std::optional<TimePoint> next_deadline() override;

  void take_calls(TimePoint now, wire::Calls&& calls);
  void withdraw(const wire::Withdrawals& withdrawals);
  bool end_unstarted(OpenCall& call, wire::EndKind kind);
  Program* program_running(const OpenCall& call) const;
  void run_next_calls();
  void make_way();
  bool withdraw_unstarted(const wire::Withdrawals::Withdrawal& withdrawal);
  void take_piece(TimePoint now, const wire::CodePiece& piece);
  void drain(const std::string& reason);
  void look_at_disk(TimePoint now);
  void look_at_zygote();
  void look_at_memory(TimePoint now);
  bool had_no_room(const wire::Digest& program, const wire::CallEnd& end) const;
  void open_data_place(const wire::DataKeys& keys);
  void keep_only(const wire::LiveJobs& live);
  Program& program(TimePoint now, const wire::Digest& digest, wire::CodeKind kind);
  void advance_programs(TimePoint now);
  void note_open(TimePoint now, const wire::Digest& program, bool has_begun);
  void end_idle_programs(TimePoint now);
  void collect_ends(TimePoint now);
  void judge_terminated(TimePoint now);
  void send_ends();
  void look_for_starts(TimePoint now);
  void send_wanted();
  void end_all(wire::EndKind kind);
  void leave_if_done(TimePoint now);

  static wire::Hello hello_of(const WorkerOptions& options);

  WorkerOptions options_;
  CodeStore store_;
  wire::Link link_;
  transport::LinkRunner runner_;

  JobFiles jobs_;
  std::unique_ptr<RunServer> run_server_;
  bool tell_data_place_ = false;

  std::mutex ends_mutex_;
  std::vector<std::pair<std::uint64_t, wire::CallEnd>> new_ends_;  // with their generation

  std::uint64_t generation_ = 0;  ///< of the session: what came in another is not wanted
  std::unordered_map<std::uint64_t, OpenCall> open_;
  CallGate gate_;
  std::map<wire::Digest, std::unique_ptr<Program>> programs_;
  std::map<wire::Digest, std::size_t> open_counts_;  ///< of programs with open calls
  std::map<wire::Digest, TimePoint> idle_since_;     ///< of the others
  std::map<wire::Digest, bool> wanted_;              ///< files; whether they were asked for
  std::deque<wire::CallEnd> ends_;                   ///< to be sent
  /// Calls whose processes somebody has sent SIGTERM; until when it may turn out that the worker
  /// has got one, too.
  std::deque<std::pair<TimePoint, wire::CallEnd>> terminated_;
  std::vector<std::uint64_t> starts_;  ///< to be sent
  std::optional<TimePoint> look_again_at_;
  DiskWatch disk_;
  TimePoint look_at_disk_{};
  MemoryWatch memory_;
  TimePoint look_at_memory_{};
  std::string paused_;                      ///< why; empty: it is not
  std::optional<wire::WorkerState> state_;  ///< to be sent
  bool draining_ = false;
  bool leaving_ = false;
  const bool has_zygote_;  ///< this program has called init()
  bool zygote_is_gone_ = false;
  std::optional<wire::Refusal> refused_;
  std::optional<TimePoint> drain_at_;
  std::atomic<int> stops_{0};
  int stops_seen_ = 0;
};

}  // namespace muster::cluster
