#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include <muster/codec/message.hpp>
#include <muster/wire/calls.hpp>
#include <muster/wire/code.hpp>
#include <muster/wire/frame.hpp>
#include <muster/wire/jobs.hpp>
#include <muster/wire/registration.hpp>
#include <muster/wire/runs.hpp>

namespace muster::wire {

/// Every message there is.
using Message =
    std::variant<Hello, Welcome, Refusal, Goodbye, Heartbeat, Calls, Ends, Withdrawals, Drain,
                 WorkerState, Starts, ClusterSize, CodeWanted, CodePiece, CodeMissing, CodeOffered,
                 SubmitJob, JobAnswer, AskJob, JobStates, JobChunks, JobLog, AskWorkers, WorkerRows,
                 LiveJobs, DataKeys, DataPlace, RunsWanted, RunsIndex, RunBytesWanted, RunBytes>;

/// A frame with the message as its body, to be finished by whoever sends it.
template <class M>
Bytes to_frame(const M& message) {
  Bytes frame = start_frame();
  detail::encode_message(frame, message);
  return frame;
}

/// Whether a worker, or a client, may say this to the coordinator; hellos aside.
bool may_say(Role role, const Message& message);
/// Whether the coordinator may say this to whoever has connected; welcomes and refusals aside.
bool coordinator_may_say(const Message& message);

/// What the body of a frame of this type holds; empty for a type that nobody knows. From anybody:
/// throws Error(corrupt) of a body that makes no sense, and takes memory in proportion to its size.
std::optional<Message> read_message(std::uint16_t type, std::string_view body);

}  // namespace muster::wire
