#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include <muster/scheduling/progress.hpp>
#include <muster/wire/jobs.hpp>
#include <muster/wire/sessions.hpp>

/// What is asked of a coordinator by its own program, which needs no session for that.
namespace muster::cluster {

struct AskNumbers {};

/// `watch` and `follow` of a job are answered once, as `state`. Numbers of questions are ignored.
struct Question {
  std::variant<AskNumbers, wire::AskJob, wire::AskWorkers> what;
  std::string who;  ///< for the log, of an order to drain a worker
};

/// Jobs that have ended in this life of the coordinator.
struct EndedJobs {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
};

/// How a coordinator is; counters count from its start on.
struct CoordinatorNumbers {
  struct Calls {
    std::uint64_t taken = 0;
    std::uint64_t values = 0;  ///< those that gave one
    std::uint64_t errors = 0;  ///< that ended otherwise, but for those withdrawn
  };
  struct Workers {
    std::uint64_t open = 0;
    std::uint64_t paused = 0;
    std::uint64_t draining = 0;
    std::uint64_t cut_off = 0;  ///< from other workers
    std::uint64_t slots = 0;    ///< of all
    std::uint64_t lost = 0;
  };
  Workers workers;
  Calls calls;
  EndedJobs ended_jobs;
  std::uint64_t clients = 0;
  std::uint64_t open_calls = 0;
  std::uint64_t open_jobs = 0;
  std::uint64_t open_chunks = 0;  ///< of jobs, of the stages that are at work
  std::uint64_t attempts = 0;     ///< that workers hold
  scheduling::Counters scheduler;
  wire::Sessions::Counters sessions;
};

/// JobAnswer: an order was carried out, or what was asked is refused.
using Answer = std::variant<CoordinatorNumbers, wire::JobStates, wire::JobChunks, wire::JobLog,
                            wire::JobAnswer, wire::WorkerRows>;

}  // namespace muster::cluster
