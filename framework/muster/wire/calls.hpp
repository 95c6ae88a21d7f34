#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <muster/wire/code.hpp>
#include <muster/wire/message_type.hpp>

/// Calls of functions, on their way to a process that runs them, and what came of them. Clients
/// number theirs; between coordinator and worker the number is that of the attempt. Times are in
/// nanoseconds.
namespace muster::wire {

/// What few calls have: TaskOptions, as far as they travel.
struct CallOptions {
  std::string name;
  std::int32_t priority = 0;
  std::optional<std::int64_t> run_ns = std::nullopt;  ///< how long it may run
  bool alone = false;                                 ///< in a fresh process of its own
  std::uint32_t retries_worker_lost = 0;
  std::uint32_t retries_out_of_memory = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, priority, run_ns, alone, retries_worker_lost, retries_out_of_memory);
  }
};

/// Code within a program: at the offset from where the module's first byte is loaded.
struct CodeAddress {
  std::uint32_t module = 0;  ///< in the order of the program's list; 0: the program itself
  std::uint64_t offset = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(module, offset);
  }
};

struct Call {
  std::uint64_t number = 0;
  CodeAddress function;  ///< that decodes the bytes and runs what they call
  std::string bytes;
  std::optional<CallOptions> options = std::nullopt;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, function, bytes, options);
  }
};

/// Run these.
struct Calls {
  static constexpr MessageType type = MessageType::calls;

  Digest program{};  ///< of which the functions are
  std::vector<Call> calls;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(program, calls);
  }
};

enum class EndKind : std::uint8_t {
  value,          ///< bytes: the result
  error,          ///< bytes: what was thrown
  crashed,        ///< its process died by its own doing; bytes: the error that says so
  killed,         ///< by somebody else
  out_of_memory,  ///< for want of memory
  cancelled,      ///< as was asked
  returned,       ///< it never ran; another may run it
  refused,        ///< it cannot be run here at all; bytes: the error that says why
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

/// These are not wanted any more. Each is still answered by its end.
struct Withdrawals {
  static constexpr MessageType type = MessageType::withdrawals;

  enum class How : std::uint8_t {
    if_not_started,  ///< give it back if it has not been entered; otherwise it goes on
    cancel,          ///< as Future::cancel()
    stop,            ///< as Future::stop()
  };
  struct Withdrawal {
    std::uint64_t number = 0;
    How how = How::cancel;

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

}  // namespace muster::wire
