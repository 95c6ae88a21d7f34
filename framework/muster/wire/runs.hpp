#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/wire/message_type.hpp>

/// How a task process fetches, from the worker that has them, the run files of map attempts: on a
/// connection of their own, in uncounted frames. Questions are numbered; each has one answer.
namespace muster::wire {

/// Where in these files is the partition?
struct RunsWanted {
  static constexpr MessageType type = MessageType::runs_wanted;

  std::uint64_t number = 0;
  std::uint64_t job = 0;
  std::uint32_t partition = 0;
  std::vector<std::string> runs;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, job, partition, runs);
  }
};

struct RunsIndex {
  static constexpr MessageType type = MessageType::runs_index;

  struct Block {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t records = 0;
    std::uint64_t checksum = 0;

    template <class Archive>
    void serialize(Archive& archive) {
      archive(offset, size, records, checksum);
    }
  };
  struct Run {
    std::string trouble;  ///< why it cannot be had; empty if it can
    std::vector<Block> blocks;

    template <class Archive>
    void serialize(Archive& archive) {
      archive(trouble, blocks);
    }
  };

  std::uint64_t number = 0;
  std::vector<Run> runs;  ///< as they were asked for

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, runs);
  }
};

/// So much is asked for, and sent, at a time.
inline constexpr std::size_t run_bytes_enough = std::size_t{1} << 20U;

/// These bytes of these files, one after the other; together not more than run_bytes_enough.
struct RunBytesWanted {
  static constexpr MessageType type = MessageType::run_bytes_wanted;

  struct Stretch {
    std::string run;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;

    template <class Archive>
    void serialize(Archive& archive) {
      archive(run, offset, size);
    }
  };

  std::uint64_t number = 0;
  std::uint64_t job = 0;
  std::vector<Stretch> stretches;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, job, stretches);
  }
};

/// Sent and read without copying what it holds: start_run_bytes(), read_run_bytes().
struct RunBytes {
  static constexpr MessageType type = MessageType::run_bytes;

  std::uint64_t number = 0;
  std::string trouble;  ///< why they cannot be had; empty if they can
  std::string bytes;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, trouble, bytes);
  }
};

/// Makes `frame`, whatever it held, the frame of a RunBytes without trouble, to be finished by
/// whoever sends it. Gives the place of its bytes, which are of any value and are to be written.
/// Takes no memory if the frame had as much.
char* start_run_bytes(Bytes& frame, std::uint64_t number, std::size_t bytes);

/// A RunBytes that refers to the frame which it was read from.
struct RunBytesView {
  std::uint64_t number = 0;
  std::string_view trouble;
  std::string_view bytes;
};
/// The body of a frame of type run_bytes. From anybody: throws Error(corrupt) as read_message().
RunBytesView read_run_bytes(std::string_view body);

}  // namespace muster::wire
