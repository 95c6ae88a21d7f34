#pragma once

#include <cstdint>

#include <muster/base/error.hpp>

namespace muster::wire {

/// What FrameHeader::type says. Numbers are never given a second time; those below
/// Channel::first_free_type are the channel's own.
enum class MessageType : std::uint16_t {
  // registration.hpp
  hello = 16,
  welcome = 17,
  refusal = 18,
  goodbye = 19,
  heartbeat = 20,
  // calls.hpp: between coordinator and worker, and between client and coordinator
  calls = 32,
  ends = 33,
  withdrawals = 34,
  drain = 35,
  worker_state = 36,
  starts = 37,
  cluster_size = 38,
  // code.hpp
  code_wanted = 48,
  code_piece = 49,
  code_missing = 50,
  code_offered = 51,
  // jobs.hpp: between client and coordinator, and from it to workers
  submit_job = 64,
  job_answer = 65,
  ask_job = 66,
  job_states = 67,
  job_log = 68,
  ask_workers = 69,
  worker_rows = 70,
  live_jobs = 71,
  data_keys = 72,
  data_place = 73,
  job_chunks = 74,
  // runs.hpp: between workers
  runs_wanted = 80,
  runs_index = 81,
  run_bytes_wanted = 82,
  run_bytes = 83,
};

/// For serialize(): an enumerator. What is read comes from anybody: Error(corrupt) beyond the last.
template <class Archive, class E>
void serialize_enum(Archive& archive, E& value, E last) {
  archive(value);
  if (value > last) throw Error(ErrorCode::corrupt, "a message has a value that means nothing");
}

}  // namespace muster::wire
