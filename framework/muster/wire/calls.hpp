#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <muster/wire/code.hpp>
#include <muster/wire/frame.hpp>
#include <muster/wire/message_type.hpp>

/// Calls of functions, on their way to a process that runs them, and what came of them. Clients
/// number theirs; between coordinator and worker the number is that of the attempt. Times are in
/// nanoseconds.
namespace muster::wire {

/// What few calls have: TaskOptions, as far as they travel.
struct CallOptions {
  std::int32_t priority = 0;
  std::optional<std::int64_t> run_ns = std::nullopt;  ///< how long it may run
  bool alone = false;                                 ///< in a fresh process of its own
  std::uint32_t process_retries = 0;                  ///< after its process died while it ran
  std::uint32_t memory_retries = 0;                   ///< after it was killed for want of memory
  std::uint32_t worker_retries = 3;                   ///< after its worker was lost while it ran

  template <class Archive>
  void serialize(Archive& archive) {
    archive(priority, run_ns, alone, process_retries, memory_retries, worker_retries);
  }
};

/// The bytes of one call, or of what came of it: so that a message has room for it.
inline constexpr std::size_t call_bytes_max = body_bytes_max - (std::size_t{64} << 10U);
/// How many calls, ends, starts or withdrawals a message has at most.
inline constexpr std::size_t items_max = 1024;
/// A message is long enough when it has so much: what follows costs nothing more by itself.
inline constexpr std::size_t message_bytes_enough = std::size_t{256} << 10U;

struct Call {
  std::uint64_t number = 0;
  std::string bytes;  ///< what is called, and with what: the program's own affair
  std::optional<CallOptions> options = std::nullopt;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, bytes, options);
  }
};

/// Run these.
struct Calls {
  static constexpr MessageType type = MessageType::calls;

  Digest program{};  ///< of which the functions are
  std::vector<Call> calls;
  CodeKind kind = CodeKind::program;  ///< a plugin's are called by the worker's own program

  template <class Archive>
  void serialize(Archive& archive) {
    archive(program, calls);
    serialize_enum(archive, kind, CodeKind::plugin);
  }
};

enum class EndKind : std::uint8_t {
  value,          ///< bytes: the result
  error,          ///< bytes: what was thrown, as encode_error_of() says it
  crashed,        ///< its process died by its own doing; bytes: how
  killed,         ///< by somebody else; bytes: how
  out_of_memory,  ///< for want of memory; bytes: how
  overdue,        ///< it ran for longer than it may; bytes: a text
  worker_lost,    ///< its worker was not heard of any more; bytes: a text
  cancelled,      ///< as was asked
  returned,       ///< it never ran; another may run it
  refused,        ///< it cannot be run at all; bytes: a text
};

/// What came of a call.
struct CallEnd {
  std::uint64_t number = 0;
  EndKind kind = EndKind::value;
  std::string bytes;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number);
    serialize_enum(archive, kind, EndKind::refused);
    archive(bytes);
  }
};

struct Ends {
  static constexpr MessageType type = MessageType::ends;

  std::vector<CallEnd> ends;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(ends);
  }
};

/// These have been entered and have not ended yet. Said of those that take their time.
struct Starts {
  static constexpr MessageType type = MessageType::starts;

  std::vector<std::uint64_t> numbers;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(numbers);
  }
};

/// These are not wanted any more. Each is still answered by its end.
struct Withdrawals {
  static constexpr MessageType type = MessageType::withdrawals;

  enum class How : std::uint8_t {
    recall,  ///< give it back if it has not been entered; otherwise it goes on
    ask,     ///< the same, and if it runs its std::stop_token is triggered
    stop,    ///< its process is killed if it runs
  };
  struct Withdrawal {
    std::uint64_t number = 0;
    How how = How::stop;

    template <class Archive>
    void serialize(Archive& archive) {
      archive(number);
      serialize_enum(archive, how, How::stop);
    }
  };

  std::vector<Withdrawal> withdrawals;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(withdrawals);
  }
};

/// To a worker: give back what has not been entered, end the rest, and say goodbye.
struct Drain {
  static constexpr MessageType type = MessageType::drain;

  std::string reason;  ///< for people

  template <class Archive>
  void serialize(Archive& archive) {
    archive(reason);
  }
};

/// From a worker: whether it can be given anything.
struct WorkerState {
  static constexpr MessageType type = MessageType::worker_state;

  enum class Kind : std::uint8_t {
    open,
    paused,    ///< for now
    draining,  ///< for good
  };

  Kind kind = Kind::open;
  std::string reason;  ///< for people: "its disk is full"

  template <class Archive>
  void serialize(Archive& archive) {
    serialize_enum(archive, kind, Kind::draining);
    archive(reason);
  }
};

/// To a client, when it begins and when it changes: what there is to run its calls.
struct ClusterSize {
  static constexpr MessageType type = MessageType::cluster_size;

  std::uint32_t workers = 0;
  std::uint32_t slots = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(workers, slots);
  }
};

}  // namespace muster::wire
