#include <csignal>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cluster/worker/job_functions.hpp>
#include <muster/cluster/worker/program.hpp>
#include <muster/executors/deadlines.hpp>
#include <muster/sandbox/sandbox.hpp>

namespace muster::cluster {
namespace {

// A result has to fit into a message.
constexpr std::uint64_t result_bytes_max = std::uint64_t{15} << 20U;

}  // namespace

Program::Program(const wire::Digest& digest, wire::CodeKind kind, const ProgramOptions& options,
                 CodeStore& store, EndSink& sink)
    : digest_(digest),
      kind_(kind),
      options_(options),
      store_(store),
      sink_(sink),
      entry_(std::make_shared<detail::RemoteCall>()) {
  // Whether a call looks at its stop token is not known here; one that does not goes on.
  entry_->takes_stop_token = true;
}

Program::~Program() {
  if (pool_ == nullptr) return;
  pool_->terminate(SIGKILL);
  pool_->shutdown(true, false);
}

void Program::look_for_files() {
  missing_.clear();
  if (!manifest_) {
    if (!store_.has(digest_)) {
      missing_.push_back(digest_);
      return;
    }
    if (kind_ == wire::CodeKind::plugin) return;
    manifest_ = decode_manifest(read_file(store_.path_of(digest_)));
  }
  if (!store_.has(manifest_->executable.digest)) missing_.push_back(manifest_->executable.digest);
  for (const auto& each : manifest_->libraries) {
    if (!store_.has(each.digest)) missing_.push_back(each.digest);
  }
}

void Program::advance(TimePoint now) {
  if (failure_) return;
  try {
    // Processes that are still to come load a plugin's file as it is then.
    if (pool_ != nullptr && kind_ == wire::CodeKind::plugin) look_for_files();
    if (pool_ != nullptr) return;
    if (host_ == nullptr) {
      look_for_files();
      if (missing_.empty() && kind_ == wire::CodeKind::plugin) {
        make_pool();
      } else if (missing_.empty()) {
        start(now);
      }
    }
    if (host_ != nullptr) await_greeting(now);
  } catch (const Error& error) {
    host_.reset();
    may_do_better_elsewhere_ = error.code() == ErrorCode::broken;
    fail(error.hint().empty() ? error.what() : fmt::format("{} ({})", error.what(), error.hint()));
  } catch (const std::exception& error) {
    host_.reset();
    fail(error.what());
  }
}

void Program::start(TimePoint now) {
  detail::TaskHost::Command command{store_.path_of(manifest_->executable.digest).string(),
                                    manifest_->executable.name, options_.environment};
  if (!manifest_->libraries.empty()) {
    libraries_ = std::make_unique<TempDir>(default_temp_parent());
    for (const auto& each : manifest_->libraries) {
      std::filesystem::create_symlink(std::filesystem::absolute(store_.path_of(each.digest)),
                                      libraries_->path() / each.name);
    }
    command.environment.push_back("LD_LIBRARY_PATH=" + libraries_->path().string());
  }
  if (options_.sandbox) confine(command);
  host_ = std::make_shared<detail::TaskHost>(command);
  start_deadline_ = now + options_.start_within;
}

/// From the first instruction of the program on: it is somebody else's code before its main, too.
void Program::confine(detail::TaskHost::Command& command) {
  sandbox::SandboxRules rules = *options_.sandbox;
  if (rules.landlock_abi > 0) {
    temp_ = std::make_unique<TempDir>(options_.scratch);
    const std::filesystem::path place =
        std::filesystem::absolute(temp_->path()) / "tmp";  // beside its lock
    std::filesystem::create_directory(place);
    rules.writable.push_back(place);
    std::erase_if(command.environment,
                  [](const auto& each) { return each.starts_with("TMPDIR="); });
    command.environment.push_back("TMPDIR=" + place.string());
  }
  command.setup = [made = std::make_shared<const sandbox::Sandbox>(rules)] {
    const sandbox::SandboxFailure failure = made->enter();
    return detail::HostSetupFailure{failure.step, failure.error};
  };
}

void Program::await_greeting(TimePoint now) {
  if (host_->poll_greeting()) {
    make_pool();
  } else if (start_deadline_ <= now) {
    throw Error(
        ErrorCode::usage,
        fmt::format(
            "{} did not come to muster::init() within {} s on the worker",
            manifest_->executable.name,
            std::chrono::duration_cast<std::chrono::seconds>(options_.start_within).count()),
        "call muster::init() at the top of main, before anything that takes time");
  }
}

void Program::make_pool() {
  ProcessPoolOptions options;
  options.max_workers = options_.slots;
  options.limits = options_.limits;
  options.message_bytes_max = result_bytes_max;
  options.on_output = options_.on_output;
  if (kind_ == wire::CodeKind::plugin) {
    options.prefetch = 0;  // chunks are long
    pool_ = std::make_shared<detail::PoolCore>(std::move(options), detail::own_zygote());
    entry_->function = &run_job_call;
  } else {
    pool_ = std::make_shared<detail::PoolCore>(std::move(options), host_);
    entry_->function = host_->entry();
  }
  pool_->start();
}

Bytes Program::for_process(Bytes&& call) const {
  if (kind_ == wire::CodeKind::program) return std::move(call);
  JobPlace place = options_.job_place;
  place.plugin = store_.path_of(digest_);
  Bytes out;
  ByteWriter writer(out);
  writer.string(encode(place));
  writer.string(call);
  return out;
}

// What a process was once allowed to write it may write for ever. So a call that writes to a place
// outside of the worker's own gets a process that no other call had or will have.
TaskOptions Program::options_of(const wire::Call& call) const {
  TaskOptions out;
  if (call.options && call.options->run_ns) out.run_timeout = Duration(*call.options->run_ns);
  out.fresh_process = call.options && call.options->alone;
  const bool is_confined = options_.sandbox && options_.sandbox->landlock_abi > 0;
  if (kind_ == wire::CodeKind::plugin && is_confined && writes_elsewhere(call.bytes))
    out.fresh_process = true;
  return out;
}

detail::TaskPtr Program::make_task(wire::Call&& call, std::uint64_t generation) {
  const TaskOptions options = options_of(call);
  detail::TaskPtr task(
      new ProgramTask(entry_, call.number, for_process(std::move(call.bytes)), sink_, generation));
  if (call.options || options.fresh_process) detail::set_options(*task, options);
  return task;
}

void Program::run(detail::TaskPtr task) {
  if (pool_ == nullptr || failure_) {
    end_as_failed(std::move(task));
    return;
  }
  detail::TaskPtr shared = detail::TaskPtr::share(*task);
  try {
    pool_->execute(std::move(task));
  } catch (const Error&) {
    pool_broke_ = true;
    shared->move_to(nullptr);
    if (!shared->start()) return;
    shared->refuse(std::current_exception());
    finish(std::move(shared)).run();
  }
}

// Perhaps nobody has it just now: the calls may be run again, and a later one asks anew.
void Program::file_is_missing(const std::string& reason) {
  may_do_better_elsewhere_ = true;
  fail("the program is not to be had: " + reason);
}

/// All that is run from now on ends.
void Program::fail(const std::string& reason) {
  if (!failure_) failed_at_ = Clock::now();
  failure_ = reason;
}

void Program::end_as_failed(detail::TaskPtr task) const {
  if (!task->start()) return;
  if (may_do_better_elsewhere_) {
    task->refuse(std::make_exception_ptr(Error(ErrorCode::broken, *failure_)));
  } else {
    static_cast<ProgramTask&>(*task).refuse_here(*failure_);
  }
  finish(std::move(task)).run();
}

void Program::end_unrun(detail::TaskPtr task, wire::EndKind kind) {
  if (!task->start()) return;
  task->refuse(withdrawn_as(kind));
  finish(std::move(task)).run();
}

bool Program::withdraw(detail::TaskBase& task, wire::EndKind kind, bool also_running) {
  return pool_ != nullptr && pool_->expire(task.state(), withdrawn_as(kind), also_running);
}

void Program::ask_to_stop(detail::TaskBase& task) {
  if (pool_ != nullptr) pool_->cancel(task.state());
}

bool Program::has_started(detail::TaskBase& task) {
  return pool_ != nullptr && pool_->started(task.state());
}

std::vector<pid_t> Program::task_processes() const {
  return pool_ == nullptr ? std::vector<pid_t>() : pool_->worker_pids();
}

void Program::end_for_memory(pid_t process) {
  if (pool_ != nullptr) pool_->end_for_memory(process);
}

std::optional<TaskProgress> Program::progress(detail::TaskBase& task) const {
  return pool_ == nullptr ? std::nullopt : pool_->progress(task.state());
}

}  // namespace muster::cluster
