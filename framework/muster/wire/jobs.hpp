#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <muster/wire/code.hpp>
#include <muster/wire/message_type.hpp>

/// Jobs that the coordinator runs: clients hand them over and ask about them. Questions are
/// numbered by the client; the answer has the same number. Times are in nanoseconds, points in time
/// in seconds since 1970.
namespace muster::wire {

/// Run this job. Answered by JobAnswer.
struct SubmitJob {
  static constexpr MessageType type = MessageType::submit_job;

  std::uint64_t number = 0;
  std::uint64_t ticket = 0;  ///< chosen at random: the job is taken once, however often this comes
  std::string name;          ///< for people
  std::string plan;          ///< jobs::encode(Plan)
  Digest plugin{};           ///< the file that the task is in
  std::int32_t priority = 0;
  std::string output;  ///< a directory that all see; empty: the parts are fetched by the client,
  std::string parts;   ///< from this one, and the job ends with the client's session
  bool overwrite = false;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, ticket, name, plan, plugin, priority, output, parts, overwrite);
  }
};

/// The job has been taken, and is kept from now on; or an order was carried out. Or not.
struct JobAnswer {
  static constexpr MessageType type = MessageType::job_answer;

  std::uint64_t number = 0;
  bool is_refused = false;
  std::uint8_t code = 0;  ///< of a refusal: an ErrorCode, 0 for usage
  std::uint64_t job = 0;
  std::string message;  ///< of a refusal
  std::string hint;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, is_refused, code, job, message, hint);
  }
};

/// A question, or an order. Answered by JobStates, of `log` by JobLog, of `cancel` by JobAnswer, of
/// `follow` by JobChunks besides. A question with the number of one that is answered again and
/// again takes its place: so watches end.
struct AskJob {
  static constexpr MessageType type = MessageType::ask_job;

  enum class What : std::uint8_t {
    list,    ///< all that are known, the newest last; at most items_max
    state,   ///< of the one
    watch,   ///< the same, again whenever it changes, a few times a second, until it has ended
    log,     ///< what has happened, from line `from` on
    cancel,  ///< it is not wanted any more
    follow,  ///< as `watch`, and before each state the chunks that it counts for the first time
  };

  std::uint64_t number = 0;
  What what = What::list;
  std::uint64_t job = 0;
  std::uint64_t from = 0;
  std::uint64_t ticket = 0;  ///< of `watch` and `follow`: from who has submitted it; 0: others

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number);
    serialize_enum(archive, what, What::follow);
    archive(job, from, ticket);
  }
};

struct StageState {
  std::string name;
  std::uint32_t chunks = 0;
  std::uint32_t chunks_done = 0;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t retries = 0;
  std::int64_t elapsed_ns = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, chunks, chunks_done, bytes, bytes_done, retries, elapsed_ns);
  }
};

/// A part of a result that the client fetches.
struct JobPart {
  std::string file;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(file, records, bytes, checksum);
  }
};

struct JobState {
  enum class Phase : std::uint8_t {
    waiting,  ///< for workers that had something of it when the coordinator ended
    running,
    finishing,  ///< its output is made visible
    succeeded,
    failed,
    cancelled,
  };

  std::uint64_t job = 0;
  std::string name = {};
  std::string task = {};
  std::string owner = {};  ///< the client that has submitted it
  std::string output = {};
  Phase phase = Phase::running;
  std::int64_t submitted = 0;
  std::int64_t ended = 0;  ///< 0: not yet
  std::uint64_t input_bytes = 0;
  std::uint64_t records_mapped = 0;
  std::uint64_t records = 0;
  std::uint64_t result_bytes = 0;
  std::uint32_t parts = 0;
  std::vector<StageState> stages = {};   ///< those that have begun
  std::uint8_t code = 0;                 ///< an ErrorCode, of one that failed
  std::string message = {};              ///< likewise
  std::string hint = {};                 ///< likewise
  std::uint64_t log_lines = 0;           ///< how many there are
  std::vector<JobPart> part_files = {};  ///< of one that succeeded and has no output

  bool has_ended() const noexcept { return phase >= Phase::succeeded; }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(job, name, task, owner, output);
    serialize_enum(archive, phase, Phase::cancelled);
    archive(submitted, ended, input_bytes, records_mapped, records, result_bytes, parts, stages,
            code, message, hint, log_lines, part_files);
  }
};

/// "running", for people and programs.
const char* to_string(JobState::Phase phase) noexcept;

struct JobStates {
  static constexpr MessageType type = MessageType::job_states;

  std::uint64_t number = 0;
  std::vector<JobState> jobs;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, jobs);
  }
};

/// A chunk that has succeeded. If what it left gets lost it is run again, and comes again.
struct EndedChunk {
  std::uint32_t stage = 0;
  std::uint32_t chunk = 0;
  std::uint32_t attempts = 0;  ///< the one that counts is the last of so many
  std::string worker;          ///< that ran it

  template <class Archive>
  void serialize(Archive& archive) {
    archive(stage, chunk, attempts, worker);
  }
};

struct JobChunks {
  static constexpr MessageType type = MessageType::job_chunks;

  std::uint64_t number = 0;
  std::vector<EndedChunk> chunks;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, chunks);
  }
};

struct JobLog {
  static constexpr MessageType type = MessageType::job_log;

  std::uint64_t number = 0;
  std::uint64_t next = 0;  ///< the number of the line behind these
  std::vector<std::string> lines;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, next, lines);
  }
};

/// What workers are there? If one is named, it is to be drained. Answered by WorkerRows, or by
/// JobAnswer if there is no such worker.
struct AskWorkers {
  static constexpr MessageType type = MessageType::ask_workers;

  std::uint64_t number = 0;
  std::string drain;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, drain);
  }
};

struct WorkerRow {
  std::string name;
  std::string host;
  std::string version;
  std::string state;  ///< "open", "paused", "draining"
  std::uint32_t pid = 0;
  std::uint32_t slots = 0;
  std::uint32_t attempts = 0;  ///< that it holds
  std::string sandbox = {};    ///< as in Hello

  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, host, version, state, pid, slots, attempts, sandbox);
  }
};

struct WorkerRows {
  static constexpr MessageType type = MessageType::worker_rows;

  std::uint64_t number = 0;
  std::vector<WorkerRow> workers;
  std::uint64_t open_calls = 0;  ///< of all clients, and chunks of jobs that may run
  std::uint64_t open_jobs = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, workers, open_calls, open_jobs);
  }
};

/// To a worker: what it keeps of other jobs is not needed any more.
struct LiveJobs {
  static constexpr MessageType type = MessageType::live_jobs;

  std::vector<std::uint64_t> jobs;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(jobs);
  }
};

/// To a worker, before anything else: the keys by which workers know each other where they fetch
/// from each other. Both empty: there are no keys.
struct DataKeys {
  static constexpr MessageType type = MessageType::data_keys;

  std::string public_key;
  std::string secret_key;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(public_key, secret_key);
  }
};

/// From a worker: where what it keeps is fetched.
struct DataPlace {
  static constexpr MessageType type = MessageType::data_place;

  std::string address;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(address);
  }
};

}  // namespace muster::wire
