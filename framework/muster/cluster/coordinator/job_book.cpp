#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <muster/base/file.hpp>
#include <muster/cluster/coordinator/job_book.hpp>
#include <muster/cluster/job_call.hpp>
#include <muster/cluster/task_death.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/jobs/manifest.hpp>
#include <muster/jobs/plan_codec.hpp>

namespace muster::cluster {
namespace {

// Attempts that fill a disk between two looks at it, on which other attempts are at work, too.
constexpr std::uint32_t no_space_budget = 4;

std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::unique_ptr<mapreduce::OutputDirectory> open_output(const Journal::Job& record) {
  const wire::SubmitJob& asked = record.submission;
  if (asked.output.empty()) return nullptr;
  if (record.staging.empty())
    return std::make_unique<mapreduce::OutputDirectory>(asked.output, asked.overwrite);
  // Gone if the coordinator was ended right after it had made the output visible.
  std::error_code error;
  const bool is_there = std::filesystem::exists(record.staging, error);
  if (error) throw system_error(error.value(), "cannot look for '" + record.staging + "'");
  if (!is_there) return nullptr;
  return std::make_unique<mapreduce::OutputDirectory>(asked.output, asked.overwrite,
                                                      record.staging);
}

bool is_visible(const std::filesystem::path& output, const jobs::Plan& plan,
                const jobs::JobData& data) {
  const auto manifest = output / mapreduce::manifest_name;
  std::error_code none;
  return std::filesystem::exists(manifest, none) &&
         read_file(manifest) == jobs::make_manifest(plan, data);
}

/// What others have written, for logs and messages.
std::string without_controls(std::string_view text) {
  constexpr std::size_t shown = 4096;
  std::string out(text.substr(0, shown));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return (c < ' ' && c != '\n') || c == '\x7f'; }, '?');
  return out;
}

/// What would not fit into messages later is not taken.
void require_messages_fit(const wire::SubmitJob& asked, const jobs::Plan& plan) {
  constexpr std::size_t name_max = 256;
  constexpr std::size_t path_max = 4096;
  constexpr std::size_t bytes_a_run = 48;   // in a reduce call
  constexpr std::size_t bytes_a_part = 48;  // in the last word on a job, besides its directory
  if (asked.name.size() > name_max || asked.output.size() > path_max ||
      asked.parts.size() > path_max)
    throw Error(ErrorCode::limit, "a name or path of the job is too long");
  const std::size_t parts = plan.map_only() ? plan.chunks.size() : plan.partitions;
  const bool has_output = !asked.output.empty();
  if (!has_output && parts * (bytes_a_part + asked.parts.size()) > wire::call_bytes_max) {
    throw Error(ErrorCode::limit, fmt::format("a result of {} parts is too much to follow", parts),
                "give an output directory");
  }
  if (!plan.map_only() && plan.chunks.size() * bytes_a_run > wire::call_bytes_max) {
    throw Error(ErrorCode::limit, fmt::format("{} chunks are too many", plan.chunks.size()),
                "give a larger --chunk-size");
  }
}

}  // namespace

JobBook::JobBook(Journal& journal, Duration grace, std::function<void(const std::string&)> log)
    : journal_(journal), grace_(grace), log_(std::move(log)) {}

JobBook::~JobBook() {
  for (const auto& [id, each] : jobs_) {
    if (each->output != nullptr) each->output->leave();
  }
  // Whether their jobs' ends have reached the journal is not known.
  for (const auto& each : unwanted_) each->leave();
}

std::vector<JobBook::FileWork> JobBook::take_file_work() {
  for (auto& each : unwanted_) {
    std::shared_ptr<mapreduce::OutputDirectory> output = std::move(each);
    file_work_.push_back(
        {std::nullopt, [output = std::move(output)]() mutable { output.reset(); }});
  }
  unwanted_.clear();
  return std::exchange(file_work_, {});
}

std::string JobBook::attempt_name(AttemptId attempt) const {
  return fmt::format("{}-{}", journal_.life(), attempt.value);
}

std::string JobBook::worker_name(WorkerId worker) const {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? "a worker that is gone" : "worker '" + found->second.name + "'";
}

void JobBook::say(Job& job, const std::string& text) {
  const std::string line = without_controls(text);
  wire::JobState& state = job.record.state;
  const std::time_t now = std::time(nullptr);
  journal_.add_line(state.job, state.log_lines++,
                    fmt::format("{:%Y-%m-%d %H:%M:%S}  {}", fmt::localtime(now), line));
  log_(fmt::format("job {}: {}", state.job, line));
  job.has_news = true;
}

std::unique_ptr<JobBook::Job> JobBook::make_job(Journal::Job record) {
  auto job = std::make_unique<Job>();
  job->plan = jobs::decode_plan(record.submission.plan);
  require_messages_fit(record.submission, job->plan);
  job->output = open_output(record);
  if (job->output != nullptr) record.staging = job->output->staging();
  job->workspace.parts = record.staging.empty() ? record.submission.parts : record.staging;
  job->workspace.lasting = !record.submission.output.empty();
  if (job->workspace.parts.is_relative())
    throw Error(ErrorCode::usage, "the job does not say where the parts of its result go");
  job->run =
      std::make_unique<jobs::JobRun>(jobs::make_stages(job->plan, job->workspace, job->data));
  if (!job->plan.map_only()) {
    job->map_stage = job->run->stage_count() - 2;
    job->runs_at.resize(job->plan.chunks.size());
    job->mapped_by.resize(job->plan.chunks.size());
  }
  record.state.name = record.submission.name;
  record.state.task = job->plan.info.name;
  record.state.output = record.submission.output;
  record.state.input_bytes = job->plan.input_bytes;
  record.submission.plan.clear();
  job->record = std::move(record);
  return job;
}

scheduling::JobSpec JobBook::spec_of(const Job& job) const {
  scheduling::JobSpec spec = job.run->spec();
  for (scheduling::StageSpec& each : spec) {
    each.speculate = true;
    each.budgets.no_space = no_space_budget;
  }
  if (job.map_stage) spec[*job.map_stage].keeps_output = true;
  return spec;
}

wire::JobAnswer JobBook::submit(TimePoint /*now*/, wire::SessionId client, const std::string& owner,
                                wire::SubmitJob&& submission) {
  wire::JobAnswer answer;
  answer.number = submission.number;
  if (const auto known = journal_.find_ticket(submission.ticket)) {
    answer.job = *known;
    return answer;
  }
  Journal::Job record;
  record.submission = std::move(submission);
  record.state.owner = owner;
  record.state.submitted = seconds_now();
  const std::string plan = record.submission.plan;
  std::unique_ptr<Job> job;
  try {
    job = make_job(std::move(record));
  } catch (const Error& error) {
    answer.is_refused = true;
    answer.code = static_cast<std::uint8_t>(error.code());
    answer.message = error.what();
    answer.hint = error.hint();
    return answer;
  }
  job->record.submission.plan = plan;
  // What the journal throws is for nobody to catch (JournalError).
  answer.job = journal_.add(job->record);
  job->record.submission.plan.clear();
  job->record.state.job = answer.job;
  if (job->output == nullptr) job->client = client;
  const JobId id{answer.job};
  Job& added = *jobs_.emplace(id, std::move(job)).first->second;
  live_changed_ = true;
  if (added.output != nullptr) {
    file_work_.push_back({std::nullopt, [output = added.output->final_path()] {
                            mapreduce::remove_leftovers(output);
                          }});
  }
  say(added, fmt::format("'{}' was submitted by '{}': {} chunks of {} bytes in all",
                         added.record.state.task, owner, added.plan.chunks.size(),
                         added.plan.input_bytes));
  orders_.push_back(
      scheduling::JobSubmitted{id, spec_of(added), {added.record.submission.priority, 1}, {}});
  return answer;
}

std::pair<wire::Digest, wire::Call> JobBook::start(TimePoint now,
                                                   const scheduling::StartAttempt& action) {
  Job& of = job(action.job);
  jobs::Stage::Call call =
      of.run->call(now, action.stage, action.chunk, attempt_name(action.attempt));
  JobCall out;
  out.kind = call.kind;
  out.job = action.job.value;
  out.request = std::move(call.argument);
  if (call.kind == jobs::CallKind::reduce) {
    std::map<std::uint64_t, std::uint32_t> known;
    for (const std::uint64_t instance : of.runs_at) {
      const auto [at, is_new] =
          known.try_emplace(instance, static_cast<std::uint32_t>(out.addresses.size()));
      out.address_of_run.push_back(at->second);
      if (!is_new) continue;
      const auto worker = by_instance_.find(instance);
      out.addresses.push_back(worker == by_instance_.end() ? std::string()
                                                           : workers_.at(worker->second).address);
    }
  }
  wire::Call made{action.attempt.value, encode(out), std::nullopt};
  if (action.alone) {
    made.options.emplace();
    made.options->alone = true;
  }
  if (action.second) {
    say(of, fmt::format("{} takes long: {} runs it, too",
                        of.run->stage(action.stage).describe(action.chunk),
                        worker_name(action.worker)));
  }
  of.has_news = true;
  return {of.record.submission.plugin, std::move(made)};
}

jobs::AttemptFailure JobBook::failure_of(const Job& of, const scheduling::StartAttempt& attempt,
                                         wire::CallEnd& end) const {
  using scheduling::FailureCause;
  const auto place = [&](std::uint64_t position) {
    return of.run->stage(attempt.stage).place(attempt.chunk, position);
  };
  switch (end.kind) {
    case wire::EndKind::crashed:
    case wire::EndKind::killed:
    case wire::EndKind::out_of_memory: {
      std::exception_ptr error;
      try {
        error = std::make_exception_ptr(WorkerDiedError(decode_death(end.bytes)));
      } catch (const Error&) {
        error = std::current_exception();
      }
      return jobs::classify(error, place);
    }
    case wire::EndKind::error:
      return jobs::classify(detail::decode_exception(end.bytes), place);
    case wire::EndKind::worker_lost:
      return {FailureCause::worker_lost,
              ErrorCode::worker_died,
              end.bytes.empty() ? "its worker was lost" : without_controls(end.bytes),
              {}};
    default:
      return {FailureCause::task_error, ErrorCode::plugin, end.bytes, {}};
  }
}

std::vector<scheduling::Event> JobBook::fail(Job& of, const scheduling::StartAttempt& attempt,
                                             jobs::AttemptFailure failure) {
  const scheduling::FailureCause cause = failure.cause;
  failure.message = without_controls(failure.message) + " (on " + worker_name(attempt.worker) + ")";
  failure.hint = without_controls(failure.hint);
  say(of, fmt::format("{}, attempt {} failed, {}: {}",
                      of.run->stage(attempt.stage).describe(attempt.chunk), attempt.attempt_number,
                      to_string(cause), failure.message));
  of.run->failed(attempt.stage, std::move(failure));
  return {scheduling::AttemptFailed{attempt.attempt, cause}};
}

/// What is mapped again may be combined otherwise, into fewer or more records.
bool JobBook::has_read_what_was_lost(const Job& of, const scheduling::StartAttempt& attempt,
                                     std::string_view result) {
  if (!of.has_reopened || !of.map_stage || attempt.stage != *of.map_stage + 1) return false;
  return mapreduce::decode_reduce_result(result).records_in !=
         of.data.partition_records[attempt.chunk];
}

std::vector<scheduling::Event> JobBook::ended(TimePoint now,
                                              const scheduling::StartAttempt& attempt,
                                              wire::CallEnd&& end) {
  Job& of = job(attempt.job);
  of.has_news = true;
  of.running.erase(attempt.attempt);
  if (end.kind == wire::EndKind::returned) return {scheduling::AttemptReturned{attempt.attempt}};
  if (end.kind == wire::EndKind::cancelled) {  // as was asked: the other one was quicker
    return {scheduling::AttemptFailed{attempt.attempt, scheduling::FailureCause::killed}};
  }
  if (end.kind != wire::EndKind::value) return fail(of, attempt, failure_of(of, attempt, end));
  try {
    JobCallEnd result = decode_job_call_end(end.bytes);
    switch (result.kind) {
      case JobCallEnd::Kind::failure:
        return fail(of, attempt, std::move(result.failure));
      case JobCallEnd::Kind::input_lost:
        return lose_input(now, of, attempt, std::move(result));
      case JobCallEnd::Kind::no_room:  // and when its worker looked there was room
        return fail(of, attempt, std::move(result.failure));
      case JobCallEnd::Kind::value:
        break;
    }
    if (has_read_what_was_lost(of, attempt, result.value)) {
      return fail(of, attempt,
                  {scheduling::FailureCause::input_lost,
                   ErrorCode::io,
                   "what it had read was lost and mapped again meanwhile",
                   {}});
    }
    const auto worker = workers_.find(attempt.worker);
    Granted granted;
    if (worker != workers_.end()) {
      granted.instance = worker->second.instance;
      granted.worker = worker->second.name;
    }
    granted.attempts = attempt.attempt_number;
    granted.result = std::move(result.value);
    granted_ = std::move(granted);
    return {scheduling::AttemptSucceeded{attempt.attempt}};
  } catch (const JournalError&) {
    throw;  // it may have lost all of its transaction
  } catch (const Error& error) {
    return fail(of, attempt,
                {scheduling::FailureCause::task_error, error.code(), error.what(), error.hint()});
  }
}

void JobBook::progress(const scheduling::StartAttempt& attempt, std::uint64_t bytes) {
  const auto found = jobs_.find(attempt.job);
  if (found == jobs_.end()) return;
  Job& of = *found->second;
  const std::uint64_t chunk = of.run->stage(attempt.stage).chunk_bytes(attempt.chunk);
  of.running[attempt.attempt] = {attempt.stage, std::min(bytes, chunk)};
  of.has_news = true;
}

void JobBook::attempt_lost(const scheduling::StartAttempt& attempt, const std::string& why) {
  const auto found = jobs_.find(attempt.job);
  if (found == jobs_.end()) return;
  found->second->running.erase(attempt.attempt);
  ++found->second->attempts_lost;
  found->second->run->failed(attempt.stage,
                             {scheduling::FailureCause::worker_lost,
                              ErrorCode::worker_died,
                              fmt::format("{} was lost: {}", worker_name(attempt.worker), why),
                              {}});
}

void JobBook::on(const scheduling::ChunkFinished& action) {
  Job& of = job(action.job);
  const std::string name = attempt_name(action.attempt);
  const Granted granted = std::move(granted_).value_or(Granted());
  granted_.reset();
  try {
    of.run->accept(action.stage, action.chunk, name, granted.result);
  } catch (const Error& error) {
    if (!of.broken) orders_.push_back(scheduling::JobCancelled{action.job});
    of.broken = error;
    return;
  }
  const bool stays_there = of.map_stage == action.stage;
  if (stays_there) {
    of.runs_at[action.chunk] = granted.instance;
    of.mapped_by[action.chunk] = action.attempt;
  }
  journal_.add_chunk(action.job.value,
                     {action.stage, action.chunk, name, stays_there ? granted.instance : 0,
                      granted.attempts, granted.worker, granted.result});
  of.ended_chunks.push_back({action.stage, action.chunk, granted.attempts, granted.worker});
  of.has_news = true;
}

void JobBook::on(const scheduling::ChunkReopened& action) {
  Job& of = job(action.job);
  of.run->reopened(action.stage, action.chunk);
  of.has_reopened = true;
  journal_.lose_chunk(action.job.value, action.stage, action.chunk);
  say(of, of.run->stage(action.stage).describe(action.chunk) +
              " has to be run again: what it had left is lost");
}

void JobBook::on(TimePoint now, const scheduling::StageFinished& action) {
  Job& of = job(action.job);
  of.run->stage_finished(now, action.stage);
  say(of, fmt::format("stage '{}' is done", of.run->stage(action.stage).name()));
}

void JobBook::on(TimePoint now, const scheduling::JobFinished& action) {
  Job& of = job(action.job);
  of.run->ended(action);
  update_state(now, of);
  if (action.outcome != scheduling::Outcome::succeeded || of.broken) {
    const bool is_wanted = action.outcome == scheduling::Outcome::failed || of.broken;
    end(of, is_wanted ? wire::JobState::Phase::failed : wire::JobState::Phase::cancelled,
        of.broken ? *of.broken : of.run->error());
    return;
  }
  if (!of.workspace.lasting) {
    end(of, wire::JobState::Phase::succeeded, std::nullopt);
    return;
  }
  of.record.state.phase = wire::JobState::Phase::finishing;
  of.has_news = true;
  const auto commit = [&of] {
    // A coordinator that was ended right after it had made the output visible.
    if (is_visible(of.record.submission.output, of.plan, of.data)) return;
    if (of.output == nullptr) {
      throw Error(ErrorCode::io,
                  "the unfinished output beside '" + of.record.submission.output + "' is gone");
    }
    jobs::commit_output(*of.output, of.plan, of.data);
  };
  file_work_.push_back({action.job, commit});
}

void JobBook::on(TimePoint now, const scheduling::JobRejected& action) {
  Job& of = job(action.job);
  update_state(now, of);
  end(of, wire::JobState::Phase::failed,
      Error(ErrorCode::limit, fmt::format("the job cannot be run: {}", to_string(action.reason)),
            "give a larger --chunk-size"));
}

void JobBook::committed(JobId id, const std::optional<Error>& error) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  end(*found->second, error ? wire::JobState::Phase::failed : wire::JobState::Phase::succeeded,
      error);
}

/// The job is forgotten here.
void JobBook::end(Job& of, wire::JobState::Phase phase, const std::optional<Error>& error) {
  wire::JobState& state = of.record.state;
  state.phase = phase;
  state.ended = seconds_now();
  if (error && phase == wire::JobState::Phase::failed) {
    state.code = static_cast<std::uint8_t>(error->code());
    state.message = error->what();
    state.hint = error->hint();
  }
  if (phase == wire::JobState::Phase::succeeded && !of.workspace.lasting) {
    for (std::size_t i = 0; i < of.data.parts.size(); ++i) {
      state.part_files.push_back({of.data.part_files[i].native(), of.data.parts[i].records,
                                  of.data.parts[i].bytes, of.data.parts[i].checksum});
    }
  }
  say(of, phase == wire::JobState::Phase::succeeded   ? "it has succeeded"
          : phase == wire::JobState::Phase::cancelled ? "it was cancelled"
                                                      : "it has failed: " + state.message);
  ++(phase == wire::JobState::Phase::succeeded   ? ended_.succeeded
     : phase == wire::JobState::Phase::cancelled ? ended_.cancelled
                                                 : ended_.failed);
  journal_.end(state);
  for (auto& [client, watches] : of.watchers) push_news(client, watches, of);
  live_changed_ = true;
  if (of.output != nullptr) unwanted_.push_back(std::move(of.output));
  jobs_.erase(JobId{state.job});
}

void JobBook::update_state(TimePoint now, Job& of) {
  wire::JobState& state = of.record.state;
  state.stages.clear();
  for (std::uint32_t i = 0; i < of.run->stage_count(); ++i) {
    if (!of.run->has_begun(i)) continue;
    std::uint64_t running_bytes = 0;
    for (const auto& [attempt, each] : of.running) {
      if (each.stage == i) running_bytes += each.bytes;
    }
    const observe::StageProgress at = of.run->progress(now, i, running_bytes);
    const jobs::StageReport& report = of.run->reports()[i];
    const Duration elapsed = report.elapsed == Duration::zero() ? at.elapsed : report.elapsed;
    state.stages.push_back({std::string(at.stage), at.chunks, at.chunks_done, at.bytes,
                            at.bytes_done, at.retries, elapsed.count()});
  }
  state.records_mapped = of.data.records_mapped;
  state.parts = static_cast<std::uint32_t>(of.data.parts.size());
  state.records = 0;
  state.result_bytes = 0;
  for (const mapreduce::PartTotals& each : of.data.parts) {
    state.records += each.records;
    state.result_bytes += each.bytes;
  }
}

}  // namespace muster::cluster
