#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <muster/wire/message_type.hpp>

/// How a connection begins and ends. Times are in nanoseconds.
namespace muster::wire {

enum class Role : std::uint8_t { worker, client };

/// What a worker has room for.
struct WorkerRoom {
  std::uint32_t slots = 1;         ///< attempts at a time
  std::uint32_t ahead = 0;         ///< attempts that it holds besides, to have the next one at hand
  std::uint64_t memory_bytes = 0;  ///< for tasks, in all; 0: not known

  template <class Archive>
  void serialize(Archive& archive) {
    archive(slots, ahead, memory_bytes);
  }
};

/// A channel that was begun on another connection and is to go on.
struct Resumption {
  std::uint64_t session = 0;
  std::uint64_t received = 0;  ///< by the one who says this

  template <class Archive>
  void serialize(Archive& archive) {
    archive(session, received);
  }
};

inline constexpr std::size_t name_bytes_max = 64;
inline constexpr std::size_t text_bytes_max = 256;       ///< of other texts in a Hello
inline constexpr std::uint32_t worker_slots_max = 4096;  ///< as many ahead

/// The first message of every connection, from whoever connects; uncounted, with epoch 0. Answered
/// by Welcome or Refusal.
struct Hello {
  static constexpr MessageType type = MessageType::hello;

  Role role = Role::client;
  std::uint64_t instance = 0;  ///< chosen at random by each process: a restart is somebody else
  std::string name = {};       ///< the worker's, in its cluster; the client's, for people
  std::string host = {};
  std::uint32_t pid = 0;
  std::string version = {};                       ///< of the program, for people
  std::optional<WorkerRoom> room = std::nullopt;  ///< of a worker
  std::string data_address = {};                  ///< of a worker: where what it keeps is fetched
  std::string sandbox = {};  ///< of a worker: what its task processes are kept from by, for people
  std::optional<Resumption> resume = std::nullopt;

  template <class Archive>
  void serialize(Archive& archive) {
    serialize_enum(archive, role, Role::client);
    archive(instance, name, host, pid, version, room, data_address, sandbox, resume);
  }
};

/// You are in. Uncounted; its header has the epoch that the channel is of.
struct Welcome {
  static constexpr MessageType type = MessageType::welcome;

  std::uint64_t session = 0;
  std::optional<std::uint64_t> received = std::nullopt;  ///< the channel goes on; none: a new one
  std::int64_t heartbeat_ns = 0;                         ///< a sign of life is expected so often
  std::int64_t lease_ns = 0;  ///< who was not heard of for so long is given up

  template <class Archive>
  void serialize(Archive& archive) {
    archive(session, received, heartbeat_ns, lease_ns);
  }
};

/// You are not, or not any more. The connection is of no use after it.
struct Refusal {
  static constexpr MessageType type = MessageType::refusal;

  enum class Reason : std::uint8_t {
    other_version,  ///< of the protocol
    not_allowed,    ///< the key does not have this role, or is unknown
    name_taken,     ///< a worker of that name is there
    unknown,        ///< no such session: say hello as somebody new
    expired,        ///< it was not heard of for the time of its lease
    full,           ///< there are as many as there may be
    malformed,      ///< what it sent makes no sense
    ending,         ///< the coordinator ends
  };

  Reason reason = Reason::malformed;
  std::string message;  ///< for people
  std::string hint;     ///< the remedy, or empty

  template <class Archive>
  void serialize(Archive& archive) {
    serialize_enum(archive, reason, Reason::ending);
    archive(message, hint);
  }
};

/// Said by whoever has connected before it goes for good: what it had is over. Answered, uncounted,
/// by the same.
struct Goodbye {
  static constexpr MessageType type = MessageType::goodbye;

  std::string reason;  ///< for people

  template <class Archive>
  void serialize(Archive& archive) {
    archive(reason);
  }
};

/// How far a running attempt is.
struct AttemptProgress {
  std::uint64_t attempt = 0;
  std::uint64_t position = 0;  ///< TaskContext::position()
  std::uint64_t done = 0;      ///< TaskContext::add_progress(), in all

  template <class Archive>
  void serialize(Archive& archive) {
    archive(attempt, position, done);
  }
};

/// A sign of life. Uncounted: a late one is of no use. The coordinator answers each with one of the
/// same number, so that whoever sent it knows from when its lease counts.
struct Heartbeat {
  static constexpr MessageType type = MessageType::heartbeat;

  std::uint64_t number = 0;
  std::vector<AttemptProgress> running = {};  ///< of a worker

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, running);
  }
};

}  // namespace muster::wire
