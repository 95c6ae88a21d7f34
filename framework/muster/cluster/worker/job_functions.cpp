#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include <muster/cluster/code/code_store.hpp>
#include <muster/cluster/job_call.hpp>
#include <muster/cluster/shuffle/run_source.hpp>
#include <muster/cluster/worker/disk_watch.hpp>
#include <muster/cluster/worker/job_functions.hpp>
#include <muster/jobs/task_functions.hpp>
#include <muster/mapreduce/attempt.hpp>
#include <muster/sandbox/sandbox.hpp>

namespace muster::cluster {
namespace {

/// A process that has not entered, or not wholly, is not to run anything, now or later.
[[noreturn]] void end_unconfined(const char* why) {
  std::fprintf(stderr, "muster: this task process cannot enter its sandbox: %s\n", why);
  std::_Exit(EXIT_FAILURE);
}

/// Before the plugin is there: it is somebody else's code from its constructors on. A process can
/// enter once; see Program::options_of().
void confine(const JobPlace& place, std::uint64_t job, const std::filesystem::path& output) {
  if (!place.sandbox) return;
  const std::filesystem::path own = run_directory(place.jobs, job);
  if (place.sandbox->landlock_abi > 0) {
    std::filesystem::create_directories(own);
    // One thread: tasks of plugins that have threads of their own end them.
    ::setenv("TMPDIR", own.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  }
  static bool is_confined = false;
  if (std::exchange(is_confined, true)) return;
  try {
    sandbox::SandboxRules rules = *place.sandbox;
    rules.writable.push_back(place.jobs);
    if (output.is_absolute()) rules.writable.push_back(output.parent_path());
    sandbox::enter_sandbox(rules);
  } catch (const std::exception& error) {
    end_unconfined(error.what());
  }
}

/// The file that a worker has for a plugin has become another one.
class WrongPlugin : public Error {
 public:
  using Error::Error;
};

/// The kernel does not say who has forbidden something.
void explain_sandbox(const JobPlace& place, jobs::AttemptFailure& failure) {
  if (!place.sandbox || !failure.hint.empty()) return;
  if (failure.message.find(std::strerror(EACCES)) == std::string::npos)
    return;  // NOLINT: one thread
  failure.hint =
      "tasks are in a sandbox there: what was made beside the directory of --keys or "
      "--sandbox-hide "
      "after the program was started is out of their reach; keep those in a place of their own";
}

Bytes run_map(TaskContext& context, const JobPlace& place, const JobCall& call) {
  mapreduce::MapRequest request = mapreduce::decode_map_request(call.request);
  request.task.plugin = place.plugin;
  request.memory_bytes = std::min(request.memory_bytes, place.memory_bytes);
  confine(place, call.job, request.output);
  if (request.output.is_relative()) {
    const auto directory = run_directory(place.jobs, call.job);
    std::filesystem::create_directories(directory);
    request.output = directory / request.output.filename();
  }
  try {
    return mapreduce::encode(mapreduce::run_map(request, jobs::monitor_of(context)));
  } catch (...) {
    std::error_code gone;  // nobody else knows the name of what it has begun
    std::filesystem::remove(request.output, gone);
    throw;
  }
}

Bytes run_reduce(TaskContext& context, const JobPlace& place, const JobCall& call) {
  mapreduce::ReduceRequest request = mapreduce::decode_reduce_request(call.request);
  request.task.plugin = place.plugin;
  request.memory_bytes = std::min(request.memory_bytes, place.memory_bytes);
  confine(place, call.job, request.output);
  if (request.runs.size() != call.address_of_run.size())
    throw Error(ErrorCode::corrupt, "a reduce call does not say where its runs are");
  RunPlaces places;
  places.job = call.job;
  places.partition = request.partition;
  for (const auto& each : request.runs) places.runs.push_back(each.native());
  places.addresses = call.addresses;
  places.address_of_run = call.address_of_run;
  places.own_directory = run_directory(place.jobs, call.job);
  places.own_address = place.address;
  places.keys = place.data_keys;
  places.patience = place.patience;
  RunSource source(std::move(places));
  return mapreduce::encode(mapreduce::run_reduce(request, jobs::monitor_of(context), source));
}

/// The worker has looked at the file, but not in this very moment. What is loaded stays.
void require_right_plugin(const std::filesystem::path& plugin) {
  static std::filesystem::path loaded;
  if (plugin == loaded) return;
  const std::string found = to_hex(sha256_of_file(plugin));
  if (plugin.filename() != found) {
    throw WrongPlugin(ErrorCode::corrupt, fmt::format("the plugin '{}' has another digest: {}",
                                                      plugin.string(), found));
  }
  loaded = plugin;
}

Bytes run(TaskContext& context, const JobPlace& place, const JobCall& call) {
  require_right_plugin(place.plugin);
  switch (call.kind) {
    case jobs::CallKind::map:
      return run_map(context, place, call);
    case jobs::CallKind::reduce:
      return run_reduce(context, place, call);
    case jobs::CallKind::count:
      break;
  }
  return jobs::count_task(context, call.request);
}

}  // namespace

void run_job_call(TaskContext& context, std::string_view bytes, detail::ResultSink& result) {
  JobCallEnd end;
  JobPlace place;
  try {
    ByteReader in(bytes, "a job's call");
    place = decode_job_place(in.string());
    const JobCall call = decode_job_call(in.string());
    in.finish();
    end.value = run(context, place, call);
  } catch (const InputLost& lost) {
    end.kind = JobCallEnd::Kind::input_lost;
    end.failure = {scheduling::FailureCause::input_lost, lost.code(), lost.what(), lost.hint()};
    end.runs = lost.runs();
    end.is_gone = lost.is_gone();
    end.silent = lost.silent();
  } catch (const WrongPlugin& error) {
    // The worker will notice with the next call, and fetch it again.
    end.kind = JobCallEnd::Kind::failure;
    end.failure = {scheduling::FailureCause::worker_lost, error.code(), error.what(), {}};
  } catch (...) {
    end.kind = JobCallEnd::Kind::failure;
    end.failure = jobs::classify(std::current_exception(), [](auto) { return std::string(); });
    explain_sandbox(place, end.failure);
    if (end.failure.cause == scheduling::FailureCause::no_space &&
        free_bytes(place.jobs) < place.least_free)
      end.kind = JobCallEnd::Kind::no_room;
  }
  result.send(encode(end));
}

}  // namespace muster::cluster
