#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/base/clock.hpp>
#include <muster/jobs/attempt_failure.hpp>
#include <muster/jobs/stage.hpp>
#include <muster/sandbox/sandbox_rules.hpp>
#include <muster/transport/curve.hpp>

namespace muster::cluster {

/// An attempt of a job, as it travels in a wire::Call to a worker's own program.
struct JobCall {
  jobs::CallKind kind = jobs::CallKind::map;
  std::uint64_t job = 0;
  Bytes request;  ///< what jobs::function_of(kind) takes; run files by their names alone
  /// Of a reduce: where its runs are. The address of a worker that is gone is empty.
  std::vector<std::string> addresses;
  std::vector<std::uint32_t> address_of_run;
};

Bytes encode(const JobCall& call);
JobCall decode_job_call(std::string_view bytes);  ///< throws Error(corrupt), as those below

/// Whether a call writes to a directory outside of the worker's own. False of one that makes no
/// sense.
bool writes_elsewhere(std::string_view call);

/// What a worker adds for its task processes.
struct JobPlace {
  std::filesystem::path plugin;
  std::filesystem::path jobs;         ///< below it each job has a directory for its run files
  std::string address;                ///< where others fetch them
  transport::CurveKeyPair data_keys;  ///< empty: none
  std::uint64_t memory_bytes = 0;     ///< for each process, whatever the job has asked for
  std::uint64_t least_free = 0;       ///< on the disk of `jobs`; with less its worker takes nothing
  /// A worker that gives nothing for so long cannot be reached.
  Duration patience = std::chrono::seconds(20);
  /// What its processes are held to, apart from what each has to write. None: nothing.
  std::optional<sandbox::SandboxRules> sandbox = std::nullopt;
};

Bytes encode(const JobPlace& place);
JobPlace decode_job_place(std::string_view bytes);

/// The directory of a job's run files.
std::filesystem::path run_directory(const std::filesystem::path& jobs, std::uint64_t job);

/// What came of an attempt that was not ended from outside.
struct JobCallEnd {
  enum class Kind : std::uint8_t {
    value,
    failure,
    input_lost,
    no_room,  ///< the worker's own disk is full: it may run elsewhere
  };

  Kind kind = Kind::value;
  Bytes value;                      ///< the result
  jobs::AttemptFailure failure;     ///< of the others
  std::vector<std::uint32_t> runs;  ///< of input_lost: those that cannot be had, by map chunk
  bool is_gone = false;             ///< likewise: their worker lives, and does not have them
  std::string silent;               ///< likewise: else the address of their worker
};

Bytes encode(const JobCallEnd& end);
JobCallEnd decode_job_call_end(std::string_view bytes);
/// For who passes an end on unread: it comes from a process that runs a plugin, and may be
/// anything.
bool says_no_room(std::string_view end) noexcept;

}  // namespace muster::cluster
