#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cluster/code/code_store.hpp>
#include <muster/cluster/code/program_manifest.hpp>
#include <muster/cluster/job_call.hpp>
#include <muster/cluster/worker/program_task.hpp>
#include <muster/executors/processes/pool_core.hpp>
#include <muster/executors/processes/task_host.hpp>
#include <muster/sandbox/sandbox_rules.hpp>
#include <muster/wire/calls.hpp>

namespace muster::cluster {

struct ProgramOptions {
  unsigned slots = 1;
  ProcessLimits limits = {};
  std::vector<std::string> environment = {};  ///< "NAME=VALUE", of the programs
  /// A program that has not come to muster::init() after so long is given up.
  Duration start_within = std::chrono::seconds(30);
  /// Gets what task processes write, line by line, in a thread of its own.
  std::function<void(std::string_view line)> on_output = {};
  /// What all task processes are held to; each may also write to a place of its own. None: nothing.
  std::optional<sandbox::SandboxRules> sandbox = {};
  std::filesystem::path scratch = default_temp_parent();  ///< where programs get a $TMPDIR, then
  JobPlace job_place = {};  ///< for attempts of jobs; the plugin is filled in. It may change
};

/// A client's program on this worker: waits for its files, is started, and runs calls in task
/// processes. Or a plugin, whose calls are run by task processes of this very program, so that
/// there is nothing to be started. For one thread, which has to live as long.
class Program {
 public:
  /// All but `digest` must outlive it.
  Program(const wire::Digest& digest, wire::CodeKind kind, const ProgramOptions& options,
          CodeStore& store, EndSink& sink);
  ~Program();  ///< kills what runs
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  bool is_plugin() const noexcept { return kind_ == wire::CodeKind::plugin; }

  /// Goes on as far as it can: to be called when a file has come, until is_starting() is over, and
  /// with each call, since a plugin's file may have gone or changed: then it waits for that again.
  /// If it cannot go on, all its calls end, with the reason.
  void advance(TimePoint now);
  bool is_starting() const noexcept { return host_ != nullptr && pool_ == nullptr; }
  /// It cannot run anything any more, or could not a while ago: another try may do better.
  bool is_over(TimePoint now) const noexcept {
    return pool_broke_ || may_do_better_elsewhere_ || (failure_ && failed_at_ + retry_after <= now);
  }
  /// The files that it waits for.
  std::vector<wire::Digest> missing_files() const { return missing_; }
  /// A file is not to be had.
  void file_is_missing(const std::string& reason);

  /// A task for the call, to be given to run(). What becomes of it goes to the sink.
  detail::TaskPtr make_task(wire::Call&& call, std::uint64_t generation);
  /// What is run would run, or fail, at once: nothing has to be fetched or started first.
  bool is_ready() const noexcept {
    return failure_.has_value() || (pool_ != nullptr && missing_.empty());
  }
  /// Once it is ready.
  void run(detail::TaskPtr task);
  /// Ends a call that was not given to run(), as the kind says.
  static void end_unrun(detail::TaskPtr task, wire::EndKind kind);
  /// Ends a call that was given to run(), as the kind says; whether it has started or not if
  /// `also_running`. False: it has ended, or runs.
  bool withdraw(detail::TaskBase& task, wire::EndKind kind, bool also_running);
  /// Triggers the std::stop_token of a running call.
  void ask_to_stop(detail::TaskBase& task);
  bool has_started(detail::TaskBase& task);
  /// Those that there are just now. Another may have the number of one that has ended.
  std::vector<pid_t> task_processes() const;
  /// Ends one that takes too much memory, and what it runs with it, for that reason.
  void end_for_memory(pid_t process);
  /// Of a call that runs.
  std::optional<TaskProgress> progress(detail::TaskBase& task) const;

 private:
  static constexpr Duration retry_after = std::chrono::seconds(5);

  void look_for_files();
  void start(TimePoint now);
  void await_greeting(TimePoint now);
  void make_pool();
  void confine(detail::TaskHost::Command& command);
  Bytes for_process(Bytes&& call) const;
  TaskOptions options_of(const wire::Call& call) const;
  void end_as_failed(detail::TaskPtr task) const;
  void fail(const std::string& reason);

  wire::Digest digest_;
  wire::CodeKind kind_;
  const ProgramOptions& options_;
  CodeStore& store_;
  EndSink& sink_;
  std::optional<ProgramManifest> manifest_;
  std::vector<wire::Digest> missing_;
  std::optional<std::string> failure_;
  TimePoint failed_at_{};
  bool pool_broke_ = false;
  bool may_do_better_elsewhere_ = false;
  std::unique_ptr<TempDir> libraries_;
  std::unique_ptr<TempDir> temp_;
  std::shared_ptr<detail::TaskHost> host_;
  TimePoint start_deadline_{};
  std::shared_ptr<detail::RemoteCall> entry_;
  std::shared_ptr<detail::PoolCore> pool_;
};

}  // namespace muster::cluster
